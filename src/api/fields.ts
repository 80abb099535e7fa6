/** The members that callers of the account API send, with their bounds. One schema checks a request and describes it. */
import { z } from 'zod';
import type {} from 'zod-openapi';
import { isHttpsUrl, isLanguageTag, isTimeZone, ONE_LINE } from '../accounts/profile.ts';

/** Counts characters as people and JSON Schema do (code points), not UTF-16 units. */
function characters(max: number) {
  return z
    .string()
    .check((ctx) => {
      if (ctx.value.length <= max || [...ctx.value].length <= max) return;
      ctx.issues.push({ code: 'too_big', origin: 'string', maximum: max, inclusive: true, input: ctx.value });
    })
    .meta({ maxLength: max });
}

/** One line of text. */
function line(max: number) {
  return characters(max).regex(ONE_LINE, 'invalid_characters');
}

const name = (description: string, example: string) => line(200).nullable().meta({ description, example });

export const PROFILE_FIELDS = {
  name: name('The whole name as it is shown.', 'Ada Lovelace'),
  given_name: name('Given name or names.', 'Ada'),
  family_name: name('Family name or names.', 'Lovelace'),
  preferred_username: name('A short name to show; it is not unique and nobody signs in with it.', 'ada'),
  picture: line(1000)
    .refine(isHttpsUrl, 'invalid_url')
    .meta({ format: 'uri' })
    .nullable()
    .meta({ description: 'Address of a picture; https only.', example: 'https://images.example.com/ada.png' }),
  locale: line(200)
    .refine(isLanguageTag, 'invalid_locale')
    .nullable()
    .meta({ description: 'Language tag (BCP 47).', example: 'en-GB' }),
  zoneinfo: line(200)
    .refine(isTimeZone, 'invalid_time_zone')
    .nullable()
    .meta({ description: 'Name of the IANA time zone database.', example: 'Europe/London' }),
};

const optional = <Field extends z.ZodType>(field: Field) => field.optional();

/** Members that are left out stay as they are; null clears one (RFC 7396). */
export const ProfileChange = z
  .strictObject({
    name: optional(PROFILE_FIELDS.name),
    given_name: optional(PROFILE_FIELDS.given_name),
    family_name: optional(PROFILE_FIELDS.family_name),
    preferred_username: optional(PROFILE_FIELDS.preferred_username),
    picture: optional(PROFILE_FIELDS.picture),
    locale: optional(PROFILE_FIELDS.locale),
    zoneinfo: optional(PROFILE_FIELDS.zoneinfo),
  })
  .meta({ id: 'ProfileChange', description: 'Members that are left out stay as they are; null clears one.' });

// The password policy has the last word on length; this only bounds what is handed to it.
const password = characters(4096).min(1);

export const PasswordChange = z
  .strictObject({
    current_password: password.meta({
      description: 'The password as it is now: the proof that it is the person who asks.',
    }),
    new_password: password.meta({ description: 'Checked by the password policy; a refusal says what is wrong.' }),
  })
  .meta({ id: 'PasswordChange' });

export const EmailChangeRequest = z
  .strictObject({
    email: characters(320).min(1).meta({ format: 'email', description: 'The new address.' }),
  })
  .meta({ id: 'EmailChange' });

export const EmailCode = z
  .strictObject({
    code: characters(40)
      .min(1)
      .transform((value) => value.replace(/[\s-]/g, ''))
      .meta({ description: 'The six digits that were mailed; spaces and hyphens do not matter.' }),
  })
  .meta({ id: 'EmailCode' });

/** For a call that takes no query parameters. */
export const NoQuery = z.strictObject({});

export const PageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^(?:[1-9][0-9]?|100)$/, 'invalid_limit')
    .transform(Number)
    .default(50)
    .meta({
      description: 'Entries a page, 1 to 100.',
      override: { type: 'integer', minimum: 1, maximum: 100, default: 50, pattern: undefined },
    }),
  cursor: z.string().min(1).max(2000).optional().meta({ description: 'What the previous page gave as `next`.' }),
});

export const ExceptQuery = z.strictObject({
  except: z
    .literal('current')
    .meta({ description: 'Must be there, so that nobody ends their own session by mistake.' }),
});
