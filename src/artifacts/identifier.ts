/**
 * Identifiers of tokens, codes and sessions: 12 hexadecimal digits of time, so that rows made together lie together
 * in an index, and 256 random bits. The first digit of the time is 0 until the year 2527: in its place stands what
 * kind it is, where the kind has a mark. At rest only the 12 digits and the SHA-256 of the whole stay. Every released
 * version makes and reads this form: instances of two versions share a database during an update.
 */
import { hash } from 'node:crypto';
import { takeRandom } from '../keyring/random.ts';

const TIMED = /^[0-9a-f]{12}[A-Za-z0-9_-]{43}$/;
const TIME_LENGTH = 12;
const UNMARKED = '0';

/** By its mark, a hexadecimal digit, a token is looked for among its own kind only. */
const MARKS = {
  AccessToken: 'a',
  ClientCredentials: 'b',
  AuthorizationCode: 'c',
  DeviceCode: 'd',
  RefreshToken: 'e',
} as const;

export function newIdentifier(kind?: string): string {
  const mark = MARKS[kind as keyof typeof MARKS] ?? UNMARKED;
  const time = Date.now()
    .toString(16)
    .padStart(TIME_LENGTH - 1, '0');
  return mark + time + takeRandom(32).toString('base64url');
}

/** Whether this may be an identifier of that kind; one without a mark (made earlier, or elsewhere) may be of any. */
export function mayBe(kind: string, identifier: string): boolean {
  const mark = MARKS[kind as keyof typeof MARKS];
  return mark === undefined || !TIMED.test(identifier) || [mark, UNMARKED].includes(identifier[0] as string);
}

/** What is stored for an identifier. One without a time prefix (made elsewhere) is its hash alone. */
export function storedIdentifier(identifier: string): string {
  const hashed = hash('sha256', identifier, 'base64url');
  return TIMED.test(identifier) ? identifier.slice(0, TIME_LENGTH) + hashed : hashed;
}
