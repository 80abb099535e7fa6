/** Secrets that come with the configuration, and what makes one too weak to start with. Never names a value. */
import { Refused } from './fault.ts';

const KEY_BYTES = 32;
/** 32 random bytes have 30 distinct values on average; fewer than 20 occur once in seven billion keys. */
const DISTINCT_BYTES = 20;
/** Long words only: a short one would turn up in a random key now and then. */
const PLACEHOLDER_KEY = /change[-_]?me|example|placeholder|replace[-_]?me|secret[-_]?key/i;
const PLACEHOLDER_TOKEN = /change.?me|example|placeholder|replace|secret|password|token|metrics/i;

/** Keys of 32 random bytes in base64, separated by commas or white space. */
export function secretKeys(value: string): Buffer[] {
  const keys = value
    .split(/[\s,]+/)
    .filter((each) => each !== '')
    .map(secretKey);
  const distinct = new Set(keys.map((key) => key.toString('base64')));
  if (distinct.size < keys.length) throw new Refused('has the same key twice');
  return keys;
}

function secretKey(encoded: string, index: number, all: string[]): Buffer {
  const which = all.length === 1 ? '' : `: key ${index + 1}`;
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) throw new Refused(`is not base64${which}`);
  const key = Buffer.from(encoded, 'base64');
  if (key.length !== KEY_BYTES) throw new Refused(`decodes to ${key.length} bytes instead of ${KEY_BYTES}${which}`);
  const weakness = weaknessOf(key, encoded);
  if (weakness) throw new Refused(`is ${weakness}${which}`);
  return key;
}

function weaknessOf(key: Buffer, encoded: string): string | undefined {
  if (key.every((byte) => byte === 0)) return 'all zeros';
  if (PLACEHOLDER_KEY.test(encoded)) return 'a placeholder, not a random key';
  if (key.every((byte) => byte >= 0x20 && byte < 0x7f)) return 'encoded text, not random bytes';
  if (new Set(key).size < DISTINCT_BYTES || hasSteadyStep(key)) return 'a pattern, not random bytes';
  return undefined;
}

function hasSteadyStep(key: Buffer): boolean {
  const steps = key.subarray(1).map((byte, index) => byte - (key[index] as number));
  return new Set(steps).size < 4;
}

/** A bearer token that the operator invents: long, printable, not a placeholder. */
export function token(value: string): string {
  if (!/^[\x21-\x7e]+$/.test(value)) throw new Refused('has characters that a header can not carry');
  if (value.length < 24) throw new Refused('is shorter than 24 characters');
  if (PLACEHOLDER_TOKEN.test(value) || new Set(value).size < 10) throw new Refused('is easy to guess');
  return value;
}

/** The secret of a client, given by an operator: 16 visible characters at least (RFC 6749 appendix A.2). */
export function clientSecret(value: string): string {
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new Refused('has white space or another character that a secret can not have');
  if (value.length < 16) throw new Refused('is shorter than 16 characters');
  if (PLACEHOLDER_KEY.test(value) || new Set(value).size < 6) throw new Refused('is easy to guess');
  return value;
}
