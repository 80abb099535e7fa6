/** What a person may say of themselves: the rules of each member of a profile (OpenID Connect Core 1.0 section 5.1). */
import type { FieldError } from '../errors.ts';
import type { Profile } from './store.ts';

/** Characters. */
const MAX_LENGTH = 200;
const MAX_ADDRESS = 1000;

/** One line of text: a name with a line break or a terminal's escape would be printed in mails and on consoles. */
export const ONE_LINE = /^\P{Cc}*$/u;

export function isHttpsUrl(value: string): boolean {
  const url = URL.parse(value);
  return /^https:\/\/\S+$/i.test(value) && url !== null && url.username === '' && url.password === '';
}

/** BCP 47, by the rules of ECMA-402. */
export function isLanguageTag(value: string): boolean {
  try {
    return Intl.getCanonicalLocales(value).length === 1;
  } catch {
    return false;
  }
}

/** A name of the IANA time zone database; an offset such as `+01:00` is none. */
export function isTimeZone(value: string): boolean {
  try {
    return (
      /^[A-Za-z]/.test(value) && new Intl.DateTimeFormat('en', { timeZone: value }).resolvedOptions().timeZone !== ''
    );
  } catch {
    return false;
  }
}

const OWN_RULES: Partial<Record<keyof Profile, [code: string, holds: (value: string) => boolean]>> = {
  picture: ['invalid_url', isHttpsUrl],
  locale: ['invalid_locale', isLanguageTag],
  zoneinfo: ['invalid_time_zone', isTimeZone],
};

/** The faults of these members; one that is null or left out has none. */
export function profileFaults(changes: Partial<Profile>): FieldError[] {
  return Object.entries(changes).flatMap(([field, value]) => {
    if (typeof value !== 'string') return [];
    const max = field === 'picture' ? MAX_ADDRESS : MAX_LENGTH;
    if ([...value].length > max) return [{ field, code: 'too_long', values: { max } }];
    if (!ONE_LINE.test(value)) return [{ field, code: 'invalid_characters' }];
    const [code, holds] = OWN_RULES[field as keyof Profile] ?? [];
    return code && !holds?.(value) ? [{ field, code }] : [];
  });
}

/** A name that somebody gives when an account is made: it is needed. Words of its own for the forms that ask for it. */
export function nameFaults(name: string): FieldError[] {
  if (name === '') return [{ field: 'name', code: 'name_missing' }];
  return profileFaults({ name }).map((fault) =>
    fault.code === 'too_long' ? { ...fault, code: 'name_too_long' } : fault,
  );
}
