/** How words of the command line become values, with a sentence for those that don't. */
import { InvalidArgumentError } from 'commander';

const MOST = 200;

/** A page's length, 1 to 200. */
export function pageLength(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > MOST) throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST}.`);
  return number;
}

export function notBlank(text: string): string {
  const value = text.trim();
  if (value === '') throw new InvalidArgumentError('It must not be empty.');
  return value;
}

/** For options that may be given several times. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** `key=value` several times; a value that is JSON is taken as JSON, any other as text. */
export function assignment(text: string, previous: Array<[string, unknown]> | undefined): Array<[string, unknown]> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must look like key=value, for example require_pkce=false.');
  return [...(previous ?? []), [text.slice(0, at), jsonOrText(text.slice(at + 1))]];
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const UNITS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A span of time in milliseconds, one minute to ten years. */
export function span(text: string): number {
  const [, number, unit] = /^(\d{1,4})([mhd])$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit ?? ''] ?? 0);
  if (!(ms > 0)) throw new InvalidArgumentError('It must be a span such as 30m, 12h or 7d.');
  return ms;
}
