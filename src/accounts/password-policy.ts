/**
 * Which password may be chosen: long enough, not too long to be read, not guessed first. No rule about kinds of
 * characters and no expiry (NIST SP 800-63B-4 section 3.1.1.2). Knows nothing about hashes and stored passwords.
 */
import { readFileSync } from 'node:fs';
import type { FieldError } from '../errors.ts';
import { madeOfIdentity } from './password-identity.ts';

const MAX_LENGTH = 256;
const MAX_BYTES = 1024;

/** Who chooses; each part that is known helps to refuse what others would try first. */
export interface About {
  email?: string;
  name?: string;
  service?: string;
}

export interface PasswordPolicy {
  /** Code points after NFC. */
  minLength: number;
  maxLength: number;
  /** At most one fault, of the field `password`; its code is `password_too_short` {min}, `password_too_long` {max},
   * `password_malformed`, `password_common` or `password_contains_identity`. */
  check(password: string, about?: About): FieldError[];
}

/** `minLength` counts code points. Reads the list of common passwords once, at the first password. */
export function createPasswordPolicy({ minLength }: { minLength: number }): PasswordPolicy {
  let common: Set<string> | undefined;

  function fault(password: string, about: About): Omit<FieldError, 'field'> | undefined {
    const characters = [...password];
    if (characters.length > MAX_LENGTH || Buffer.byteLength(password) > MAX_BYTES) {
      return { code: 'password_too_long', values: { max: MAX_LENGTH } };
    }
    // Half of a surrogate pair has no UTF-8 form, so that all of them would hash alike.
    if (!password.isWellFormed()) return { code: 'password_malformed' };
    if (characters.length < minLength) return { code: 'password_too_short', values: { min: minLength } };
    // Guessers try capitals as a matter of course, so a listed password stays common with them.
    common ??= commonPasswords(minLength);
    if (common.has(password.toLowerCase())) return { code: 'password_common' };
    if (madeOfIdentity(password, about)) return { code: 'password_contains_identity' };
    return undefined;
  }

  return {
    minLength,
    maxLength: MAX_LENGTH,
    check(password, about = {}) {
      // The cheap bound comes first: composing shortens a text to a quarter at most (ᾂ is four code points apart).
      const oversize = password.length > MAX_BYTES * 4;
      const found = oversize
        ? { code: 'password_too_long', values: { max: MAX_LENGTH } }
        : fault(password.normalize('NFC'), about);
      return found ? [{ field: 'password', ...found }] : [];
    },
  };
}

/** Entries that are too short for the policy are refused by their length and need no memory. */
function commonPasswords(minLength: number): Set<string> {
  const text = readFileSync(new URL('./common-passwords.txt', import.meta.url), 'utf8');
  return new Set(text.split('\n').filter((entry) => entry !== '' && [...entry].length >= minLength));
}
