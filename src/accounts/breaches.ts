/**
 * Asks a range service of the kind of Have I Been Pwned how often a password is in known breaches, by k-anonymity: the
 * first five hexadecimal digits of its SHA-1 go out, padded answers come back, the rest is compared here.
 */
import { createHash } from 'node:crypto';

/** For the whole answer; somebody waits for the form. */
const TIME_LIMIT_MS = 1000;
const PREFIX = 5;
/** The rest of the digest and a count; padding has the count 0. */
const ENTRY = /^([0-9A-F]{35}):(\d+)$/;

export interface BreachesOptions {
  /** Address of the ranges; the five digits are added to its path. */
  url: string;
  fetch(url: string, init: RequestInit): Promise<Response>;
}

/** How often the password was seen. Rejects when the service gives no proper answer in time. */
export type Breaches = (password: string) => Promise<number>;

export function createBreaches({ url, fetch }: BreachesOptions): Breaches {
  const base = url.endsWith('/') ? url : `${url}/`;

  return async function timesSeen(password) {
    const digest = createHash('sha1').update(password.normalize('NFC')).digest('hex').toUpperCase();
    const response = await fetch(base + digest.slice(0, PREFIX), {
      headers: { 'Add-Padding': 'true', 'User-Agent': 'Latchkey' },
      signal: AbortSignal.timeout(TIME_LIMIT_MS),
    });
    if (response.status !== 200) throw new Error(`the breach service answered ${response.status}`);
    const entries = (await response.text())
      .trim()
      .split(/\r?\n/)
      .map((line) => ENTRY.exec(line));
    // A page of a proxy that wants a sign-in is no list without the password.
    if (!entries[0]) throw new Error('the answer of the breach service is not a list of ranges');
    return Number(entries.find((entry) => entry?.[1] === digest.slice(PREFIX))?.[2] ?? 0);
  };
}
