/**
 * Identifiers of tokens, codes and sessions: 12 hexadecimal digits of time, so that rows made together lie together
 * in an index, a letter that names the kind where it has one, and 256 random bits. At rest only the prefix and the
 * SHA-256 of the whole stay.
 */
import { hash } from 'node:crypto';
import { takeRandom } from '../keyring/random.ts';

const TIMED = /^[0-9a-f]{12}[A-Za-z0-9_-]{43,44}$/;
const MARKED_LENGTH = 56;
const TIME_LENGTH = 12;

/** By its mark a token is looked for among its own kind only. */
const MARKS = {
  AccessToken: 'a',
  ClientCredentials: 'm',
  RefreshToken: 'r',
  AuthorizationCode: 'c',
  DeviceCode: 'd',
} as const;

export function newIdentifier(kind?: string): string {
  const mark = MARKS[kind as keyof typeof MARKS] ?? '';
  return Date.now().toString(16).padStart(TIME_LENGTH, '0') + mark + takeRandom(32).toString('base64url');
}

/** Whether this may be an identifier of that kind; one without a mark (made earlier, or elsewhere) may be of any. */
export function mayBe(kind: string, identifier: string): boolean {
  const mark = MARKS[kind as keyof typeof MARKS];
  return mark === undefined || identifier.length !== MARKED_LENGTH || identifier[TIME_LENGTH] === mark;
}

/** What is stored for an identifier. One without a time prefix (made elsewhere) is its hash alone. */
export function storedIdentifier(identifier: string): string {
  const hashed = hash('sha256', identifier, 'base64url');
  return TIMED.test(identifier) ? identifier.slice(0, TIME_LENGTH) + hashed : hashed;
}
