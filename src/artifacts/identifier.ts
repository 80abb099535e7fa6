/**
 * Identifiers of tokens, codes and sessions: 12 hexadecimal digits of time, so that rows made together lie together
 * in an index, and 256 random bits. At rest only the prefix and the SHA-256 of the whole stay.
 */
import { createHash, randomBytes } from 'node:crypto';

const TIMED = /^[0-9a-f]{12}[A-Za-z0-9_-]{43}$/;

export function newIdentifier(): string {
  return Date.now().toString(16).padStart(12, '0') + randomBytes(32).toString('base64url');
}

/** What is stored for an identifier. One without a time prefix (made elsewhere) is its hash alone. */
export function storedIdentifier(identifier: string): string {
  const hash = createHash('sha256').update(identifier).digest('base64url');
  return TIMED.test(identifier) ? identifier.slice(0, 12) + hash : hash;
}
