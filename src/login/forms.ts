/** The forms of the hosted pages. Lengths bound the work; what is too long is refused with words, never cut. */
import { z } from 'zod';

const csrf = z.string().max(500);
const email = z.string().max(320);
// One more than the policy's upper bound, so that the policy's own words answer.
const password = z.string().max(4096);
const code = z
  .string()
  .max(40)
  .transform((value) => value.replace(/[\s-]/g, ''));

export const SignInForm = z.strictObject({ csrf, email, password });
// Its button stands in the form of the password, which is not looked at.
export const MailSignInForm = z.strictObject({ csrf, email, password: password.optional() });
const nameField = z.string().max(1000);
// Where people sign in by mail instead, nobody chooses a password.
const chosen = (passwords: boolean): z.ZodType<string | undefined> => (passwords ? password : password.optional());
export const registerForm = (passwords: boolean) =>
  z.strictObject({ csrf, name: nameField, email, password: chosen(passwords) });
export const CodeForm = z.strictObject({ csrf, code });
export const EmailForm = z.strictObject({ csrf, email });
/** Letters that another browser shows; empty in the browser that asked. */
export const WordsForm = z.strictObject({ csrf, words: code.default('') });
// The hidden user name field is there for password managers.
export const ResetForm = z.strictObject({ csrf, code, password, username: email.optional(), email: email.optional() });
export const ButtonForm = z.strictObject({ csrf });
export const DecisionForm = z.strictObject({ csrf, decision: z.enum(['allow', 'deny', 'switch']) });
export const invitationForm = (passwords: boolean) =>
  z.strictObject({
    csrf,
    name: nameField,
    password: chosen(passwords),
    username: email.optional(),
    email: email.optional(),
  });
export const NewPasswordForm = z.strictObject({ csrf, password, username: email.optional() });

// What a person types as a code is read by the feature, which knows the forms that it may have.
const typed = z.string().max(100);
/** A second factor, and whether this browser is to be remembered. */
export const FactorForm = z.strictObject({ csrf, code: typed, remember: z.literal('yes').optional() });
export const TotpForm = z.strictObject({ csrf, code: typed, name: z.string().max(1000).default('') });
export const SavedCodesForm = z.strictObject({ csrf, codes: z.string().max(400) });
