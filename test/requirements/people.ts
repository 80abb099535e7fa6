/** The tests of the requirements A01 to A20 and S01 to S08. */
import { CORE, type Proof, proof } from './requirement.ts';

const POLICY = 'password-policy.test.ts';
const PEOPLE = 'people.test.ts';
const MATRIX = 'security-matrix.test.ts';

/**
 * Requirements, or parts of one, whose code or tests are not there yet. The page says so. Who writes the test takes its
 * line out of here and puts an entry below; with the list empty nothing is excused.
 */
export const AWAITED: Record<string, string> = {};

export const PEOPLE_PROOFS: Proof[] = [
  proof(
    'A08',
    'limits-accounts.test.ts',
    'A08: the owner signs in from the known device while a stranger guesses, and by mail from anywhere',
    ['src/limits/attempt-ledger.ts', 'if (known !== undefined) {', 'if (false) {'],
  ),
  proof('A10', 'second-factor.test.ts', 'A10: after a reset of the password', [
    'src/login/requirement.ts',
    "if (kinds.length > 0) return { step: 'factor', kinds };",
    "if (kinds.length > 9) return { step: 'factor', kinds };",
  ]),
  proof(
    'A11',
    'totp.test.ts',
    'A11: the second step follows the password; tokens say both; a code works once, within the drift as well',
    [
      'src/factors/totp.ts',
      'if (step > row.last_step && (await accept(accountId, row.id, step, by)))',
      'if ((await accept(accountId, row.id, Math.max(step, row.last_step + 1), by)))',
    ],
  ),
  proof('A11', 'recovery-codes.test.ts', 'of a hundred at once one is accepted, and odd codes never (A11, A14)', [
    'src/factors/totp-store.ts',
    'WHERE id = ? AND last_step < ?',
    'WHERE id = ? AND ? > 0',
  ]),
  proof('A13', 'mailed-sign-in.test.ts', 'A13: where it is allowed beside passwords', [
    'src/factors/assurance.ts',
    "return has('pwd') || has('pop');",
    "return has('pwd') || has('pop') || has('email');",
  ]),
  proof(
    'A14',
    'recovery-codes.test.ts',
    'A14: a code replaces the authenticator once, however it is typed, and the person is told',
    ['src/factors/recovery-code-store.ts', 'AND mac = ? AND used_at IS NULL', 'AND mac = ?'],
  ),
  proof(
    'A15',
    'email-change.test.ts',
    'A15 A17: a code at the new address changes it, ends other sessions, and tells the old address',
    ['src/accounts/email-change.ts', "template: 'email-changed', to: from,", "template: 'email-changed', to: email,"],
  ),
  proof(
    'A15',
    'remembered.test.ts',
    'A16: a mailed code leads to the second step, too; A15: a failed one is told by mail',
    ['src/accounts/sign-in-notices.ts', "      await db.write(() => mail('half-way', account, by));\n", ''],
  ),
  proof('A16', 'second-factor.test.ts', 'A16: after a password, and no address of the flow leads past it', [
    'src/login/requirement.ts',
    'if (second || (remembered && kinds.length > 0))',
    'if (amr.length > 0)',
  ]),
  proof(
    'A17',
    'account-api-factors.test.ts',
    'A17: a password alone, or an old sign-in, is no fresh proof where there is a factor',
    ['src/factors/freshness.ts', 'return hasSecondFactor(amr) ||', 'return amr.length > 0 ||'],
  ),
  proof(
    'A17',
    'security-matrix.test.ts',
    'A17: eleven minutes after the sign-in nothing that touches the way in, the data or the end of an account is done',
    ['src/factors/freshness.ts', 'if (!isRecent(authTime)) return false;', 'if (!isRecent(authTime)) return true;'],
  ),
  proof(
    'A20',
    'passkeys-forged.test.ts',
    'A20: a challenge of another sign-in, of another step, or of five minutes ago',
    ['src/factors/passkey-challenges.ts', "if (!fits || Number(payload['until']) < Date.now())", 'if (!payload)'],
  ),
  proof('S01', 'second-factor.test.ts', 'S01: two factors stay proved for a day, the session for longer', [
    'src/factors/assurance.ts',
    '&& !(lapsed && LAPSING.has(acr))',
    '&& !(LAPSING.size === 0 && lapsed)',
  ]),
  proof(
    'S03',
    'second-factor.test.ts',
    'S03: a session that lacks the factor is asked for it alone, and gets a new id with it',
    [`${CORE}/actions/authorization/resume.js`, 'session.resetIdentifier();', 'session.id;'],
  ),
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
    // 256 code points are 1,024 bytes at most: the second condition holds with the first.
    'if (characters.length > MAX_LENGTH || Buffer.byteLength(password) > MAX_BYTES) {',
    'if (false) {',
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
  proof('A07', 'passwords.test.ts', 'A07: a hash with other parameters still opens and asks to be made again', [
    'src/accounts/passwords.ts',
    'needsRehash(hash, cost)',
    'false',
  ]),
  proof('A07', 'passwords.test.ts', 'A07: with a pepper the database alone proves no password', [
    'src/accounts/passwords.ts',
    'const secret = pepper ? { secret: pepper } : {};',
    'const secret = {};',
  ]),
  {
    ...proof('A08', 'limits-accounts.test.ts', 'A08 on', [
      'src/limits/attempt-ledger.ts',
      '...inARow(rules.fromUnknown) }',
      '...inARow(rules.fromUnknown + 1) }',
    ]),
    within: 'A08 on',
  },
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
  proof('A09', 'enumeration.test.ts', 'A09: whatever keeps somebody from signing in, the answer is the same', [
    'src/accounts/authentication.ts',
    "return account.status === 'disabled' ? 'account_disabled' : undefined;",
    'return undefined;',
  ]),
  proof('A09', 'enumeration.test.ts', 'A09: who forgot a password and who registers hear the same', [
    'src/accounts/recovery.ts',
    "        yield* send('reset', { ...input, canonical: email.canonical });\n",
    "        if (!(yield* store.findByEmail(email.canonical))) throw new AppError('not_found');\n        yield* send('reset', { ...input, canonical: email.canonical });\n",
  ]),
  proof('A09', 'enumeration.test.ts', 'A09: the time that a wrong password takes says nothing of the account', [
    'src/accounts/authentication.ts',
    'await passwords.verify(owner?.passwordHash ?? null, input.password);',
    'owner ? await passwords.verify(owner.passwordHash, input.password) : { valid: false, rehash: false };',
  ]),
  {
    id: 'A10',
    file: 'epochs.test.ts',
    test: 'A10: a finished sign-in that was read a moment before a change',
    within: 'SQLite',
    change: {
      file: 'src/sessions/beginning.ts',
      from: 'standInLine(accountId, epoch)',
      to: 'standInLine(accountId)',
    },
  },
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
    'src/accounts/challenge-store.ts',
    '`SELECT * FROM challenges WHERE flow = ? AND purpose IN (',
    '`SELECT * FROM challenges WHERE (flow = ? OR TRUE) AND purpose IN (',
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
    'S02: with an https issuer every cookie of a whole sign-in is Secure, HttpOnly, SameSite and named for it',
    ['src/oidc/provider.ts', "httpOnly: true, sameSite: 'lax'", "httpOnly: false, sameSite: 'lax'"],
  ),
  proof('S03', PEOPLE, 'S03: a sign-in that one browser began can not be finished in another', [
    'src/login/flows.ts',
    "if (signedCookie(ctx.get('cookie'), nameOf(uid), cookieKeys) !== uid) throw expired();",
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
  proof(
    'S04',
    'sessions.test.ts',
    'S04, S07: disabling an account ends everything at once, and enabling it brings nothing back',
    ['src/accounts/accounts.ts', "        yield* options.endSessions(id, { reason: 'account_disabled', by });\n", ''],
  ),
  proof('S07', 'security-flows.test.ts', 'S07: no password, code or token stands in an address of ours', [
    'src/login/recovery-routes.ts',
    '?notice=password-changed`',
    '?notice=password-changed&code=` + code',
  ]),
  proof('S07', 'sessions.test.ts', 'S07: what is taken back acts on requests that hold a living session', [
    'src/accounts/accounts.ts',
    "return account?.status === 'active' ? account : undefined;",
    'return account;',
  ]),
  proof('S08', 'session-limit.test.ts', 'S08: sixty sign-ins of a person at the same time leave fifty sessions', [
    'src/sessions/beginning.ts',
    'unusedBeyond(accountId, uid, max - 1)',
    'unusedBeyond(accountId, uid, max + 9)',
  ]),
];
