/** `application/x-www-form-urlencoded`, read strictly: nothing is replaced, dropped or guessed. Knows no schema. */
import { AppError } from '../errors.ts';

/** Anything that no field of ours may contain: PostgreSQL stores no NUL, and half a surrogate pair is no text. */
export function isText(value: string): boolean {
  return !value.includes('\0') && value.isWellFormed();
}

/**
 * The pairs in their order; empty ones (`a=1&&b=2`) are skipped, as in the URL standard.
 * @throws AppError invalid_request for malformed percent-encoding, bytes that are not UTF-8, and NUL.
 */
export function parsePairs(text: string): [name: string, value: string][] {
  return text
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      const name = decode(equals < 0 ? part : part.slice(0, equals), 'A name');
      return [name, equals < 0 ? '' : decode(part.slice(equals + 1), `The value of "${name}"`, name)];
    });
}

/**
 * The fields by name, in an object without a prototype, so that `__proto__` is a name like any other.
 * @throws AppError invalid_request that names every field which was sent more than once (RFC 6749, 3.1).
 */
export function uniqueFields(pairs: [name: string, value: string][]): Record<string, string> {
  const fields: Record<string, string> = Object.create(null);
  const doubled = new Set<string>();
  for (const [name, value] of pairs) {
    if (name in fields) doubled.add(name);
    fields[name] = value;
  }
  if (doubled.size > 0) {
    throw new AppError('invalid_request', {
      message: `Sent more than once: ${[...doubled].join(', ')}.`,
      fields: [...doubled].map((field) => ({ field, code: 'doubled' })),
    });
  }
  return fields;
}

const ENCODED = /[%+]/;

function decode(encoded: string, what: string, field = ''): string {
  let value: string | undefined;
  try {
    value = ENCODED.test(encoded) ? decodeURIComponent(encoded.replaceAll('+', ' ')) : encoded;
  } catch {}
  if (value !== undefined && isText(value)) return value;
  throw new AppError('invalid_request', {
    message: `${what} is not percent-encoded UTF-8 text.`,
    fields: [{ field, code: 'invalid_characters' }],
  });
}
