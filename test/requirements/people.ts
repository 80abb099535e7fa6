/** The tests of the requirements A01 to A20 and S01 to S08. */
import { type Proof, proof } from './requirement.ts';

const POLICY = 'password-policy.test.ts';
const PEOPLE = 'people.test.ts';
const MATRIX = 'security-matrix.test.ts';

/**
 * Requirements, or parts of one, whose code or tests are not there yet. The page says so. Who writes the test takes its
 * line out of here and puts an entry below; with the list empty nothing is excused.
 */
export const AWAITED: Record<string, string> = {
  A08: 'the bound of 100 failures per account and the known device',
  A10: 'the second factor after a reset',
  A11: 'TOTP steps',
  A13: 'the acr of a sign-in by mail',
  A14: 'recovery codes',
  A15: 'mails about factors, about a changed address, and about a success after failures',
  A16: 'ways in times states of factors',
  A17: 'a fresh proof before what is dangerous',
  A20: 'passkeys',
  S01: 'the shorter ends of sessions with two factors',
  S03: 'a new id at step-up',
  S08: 'the bound of fifty sessions: not built',
};

export const PEOPLE_PROOFS: Proof[] = [
  proof('A01', POLICY, 'A01: the exact length is taken and one below is refused, for each policy', [
    'src/accounts/password-policy.ts',
    'if (characters.length < minLength) return',
    'if (characters.length <= minLength) return',
  ]),
  proof('A02', 'passwords.test.ts', 'A02: every character matters, the last of 200 and the 73rd byte', [
    'src/accounts/passwords.ts',
    "Buffer.from(password.normalize('NFC'), 'utf8');",
    "Buffer.from(password.normalize('NFC'), 'utf8').subarray(0, 72);",
  ]),
  proof('A03', POLICY, 'A03: 256 code points and 1,024 bytes are the bounds, and beyond them it is refused', [
    'src/accounts/password-policy.ts',
    'Buffer.byteLength(password) > MAX_BYTES)',
    'false)',
  ]),
  proof('A04', POLICY, 'A04: a long plain phrase passes, whatever kinds of characters it has', [
    'src/accounts/password-policy.ts',
    'if (common.has(password.toLowerCase()))',
    'if (!/[0-9]/.test(password) || common.has(password.toLowerCase()))',
  ]),
  proof('A05', POLICY, 'A05: every listed password is refused by every policy, also with capitals', [
    'src/accounts/password-policy.ts',
    'common.has(password.toLowerCase())',
    'common.has(password)',
  ]),
  proof('A06', 'passwords.test.ts', 'A06: both spellings of an accent sign in; case and width are not folded', [
    'src/accounts/passwords.ts',
    "password.normalize('NFC')",
    'password',
  ]),
  proof(
    'A07',
    'passwords.test.ts',
    'A07: a hash is Argon2id with 19 MiB and two passes unless the settings say otherwise',
    ['src/accounts/passwords.ts', 'passes = 2,', 'passes = 1,'],
  ),
  proof('A08', PEOPLE, 'A08: 100 parallel guesses never get more than five tries', [
    'src/accounts/challenge-store.ts',
    'attempts < max_attempts',
    'attempts < 1000',
  ]),
  proof('A09', PEOPLE, 'A09: an unknown address, a wrong password and a disabled account get the same answer', [
    'src/accounts/authentication.ts',
    "  if (!account) return 'unknown_address';",
    "  if (!account) throw new AppError('not_found');",
  ]),
  proof('A10', PEOPLE, 'A10: a forgotten password is reset by code, ends every session and signs nobody in', [
    'src/accounts/recovery.ts',
    "        yield* options.endSessions(accountId, { reason: 'password_reset', by });\n",
    '',
  ]),
  proof('A11', PEOPLE, 'A11 A12: a code works once, in its own flow, for ten minutes and five tries', [
    'src/accounts/challenges.ts',
    'expires_at: now + rules.minutes * 60_000,',
    'expires_at: now + rules.minutes * 120_000,',
  ]),
  proof('A12', 'security-flows.test.ts', 'A12: a code works in its own flow and for its own purpose only', [
    'src/login/flows.ts',
    'if (ctx.cookies.get(nameOf(uid), settings) !== uid) throw expired;',
    '',
  ]),
  proof('A15', 'account-api.test.ts', 'A15: a change needs the current one, obeys the policy, and tells by mail', [
    'src/accounts/accounts.ts',
    '      await passwordChanged(account, change.origin);\n',
    '',
  ]),
  proof(
    'A18',
    'security-sources.test.ts',
    'A18: an operator starts a reset and never chooses a password for somebody who is there',
    [
      'src/cli/users.ts',
      ".description('send an invitation, whose link sets name and password')",
      ".description('send an invitation, whose link sets name and password').option('--password <password>', 'x')",
    ],
  ),
  proof(
    'A19',
    'security-sources.test.ts',
    'A19: there is no way in by an outside identity, so nothing links by an address',
    ['src/accounts/sign-in.ts', "'passkey' : 'email'", "'passkey' : 'social'"],
  ),
  proof('S01', 'config.test.ts', 'lifetimes are those of the requirements P10, P14 and S01', [
    'src/config/assembly.ts',
    'absolute: values.LATCHKEY_SESSION_ABSOLUTE_TTL',
    'absolute: 2 * values.LATCHKEY_SESSION_ABSOLUTE_TTL',
  ]),
  proof(
    'S02',
    'security-flows.test.ts',
    'S02: with an https issuer every cookie is Secure, HttpOnly, SameSite and named for it',
    ['src/oidc/provider.ts', "httpOnly: true, sameSite: 'lax'", "httpOnly: false, sameSite: 'lax'"],
  ),
  proof('S03', PEOPLE, 'S03: a sign-in that one browser began can not be finished in another', [
    'src/login/flows.ts',
    'if (ctx.cookies.get(nameOf(uid), settings) !== uid) throw expired;',
    '',
  ]),
  proof('S04', 'sessions.test.ts', 'S04: signing out on the account page ends the session on the server', [
    'src/sessions/endings.ts',
    '    yield* removeSession(uid);\n',
    '',
  ]),
  proof('S05', MATRIX, 'S05: no form is taken without its token, with somebody else’s, or from another site', [
    'src/http/csrf.ts',
    '      checkOrigin(req, issuer);\n',
    '',
  ]),
  proof('S05', PEOPLE, 'S05: a form of another sign-in, from another site or without its token is refused', [
    'src/http/csrf.ts',
    '!TOKEN.test(token) || !matches(token, binding)',
    'false',
  ]),
  proof('S06', PEOPLE, 'P05, S06: a native application gets no silent approval', [
    'src/oidc/interactions.ts',
    "ctx.oidc.client?.applicationType === 'native'",
    'false',
  ]),
  proof('S07', 'sessions.test.ts', 'S07: disabling an account ends everything at once', [
    'src/accounts/accounts.ts',
    "        yield* options.endSessions(id, { reason: 'account_disabled', by });\n",
    '',
  ]),
];
