/** The one answer to what came too often: status 429, when to come again, and the limit that was met, in the headers
 * (`Retry-After` of RFC 9110 section 10.2.3; `RateLimit-…` of draft-ietf-httpapi-ratelimit-headers, version 6). */
import { AppError } from '../errors.ts';

export interface Refused {
  /** Until it may be tried again. */
  seconds: number;
  /** How often it may be done. */
  limit: number;
  /** English words for the caller, ended by the time to wait. */
  message?: string;
  /** A key of the message catalogue that takes `wait` and `unit`. */
  code?: 'wait' | 'wait_or_reset';
}

export function tooMany({ seconds, limit, message = 'That was too often.', code = 'wait' }: Refused): AppError {
  const wait = Math.max(1, Math.ceil(seconds));
  return new AppError('too_many_attempts', {
    message: `${message} Try again in ${inWords(wait)}.`,
    retryAfter: wait,
    fields: [{ field: '', code, values: waitOf(wait) }],
    headers: rateLimitHeaders(limit, wait),
  });
}

export function rateLimitHeaders(limit: number, seconds: number): Record<string, string> {
  return { 'RateLimit-Limit': String(limit), 'RateLimit-Remaining': '0', 'RateLimit-Reset': String(seconds) };
}

/** For the message catalogue: below two minutes seconds say more. */
function waitOf(seconds: number): { unit: string; wait: number } {
  return seconds < 120 ? { unit: 'second', wait: seconds } : { unit: 'minute', wait: Math.ceil(seconds / 60) };
}

export function inWords(seconds: number): string {
  const { unit, wait } = waitOf(seconds);
  return `${wait} ${unit}${wait === 1 ? '' : 's'}`;
}
