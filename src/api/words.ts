/** What is wrong with a member, for the developer who sent it. Faults that a person can mend have the catalogue's words. */
import type { FieldError } from '../errors.ts';
import type { I18n } from '../http/i18n.ts';

const WORDS: Record<string, string> = {
  required: 'It is missing or empty.',
  invalid_type: 'It has another JSON type than the description says.',
  invalid_choice: 'It must be one of: {choices}.',
  unknown_field: 'This call knows no such member or parameter; check the spelling, or leave it out.',
  doubled: 'It is there twice; send it once.',
  too_deep: 'The body is nested too deeply.',
  invalid_limit: 'It must be a whole number from 1 to 100.',
  invalid_cursor: 'Send what the previous page gave as `next`, unchanged, or begin without it.',
  invalid_url: 'It must be an address that begins with https://, without a user name.',
  invalid_locale: 'It must be a language tag of BCP 47, such as en or fr-CA.',
  invalid_time_zone: 'It must be a name of the IANA time zone database, such as Europe/Paris.',
  invalid_characters: 'It contains control characters or text that is not valid Unicode.',
};

export function createExplain(i18n: Pick<I18n, 'has' | 't'>): (fault: FieldError) => string {
  return ({ code, values = {} }) => {
    const own = WORDS[code];
    if (own) return own.replaceAll(/\{(\w+)\}/g, (_all, name: string) => String(values[name] ?? ''));
    const key = `error.${code}`;
    return i18n.has('en', key) ? i18n.t('en', key, values) : `${code.replaceAll('_', ' ')}.`;
  };
}
