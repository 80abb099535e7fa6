/** The tests of the requirements X01 to X16, of the classes of real holes that no other line covers, and of faults. */
import { CORE, type Proof, proof } from './requirement.ts';

const MATRIX = 'security-matrix.test.ts';
const SOURCES = 'security-sources.test.ts';

export const PLATFORM: Proof[] = [
  proof('X01', MATRIX, 'P21, P22, X01: every page has the whole policy', [
    'src/http/headers.ts',
    "random(16).toString('base64url')",
    "Buffer.alloc(16).toString('base64url')",
  ]),
  proof('X02', MATRIX, 'X02, X15: an undeclared method is 405, TRACE never answers', [
    'src/app.ts',
    '  app.use(router.allowedMethods());\n',
    '',
  ]),
  proof(
    'X03',
    'http-server.test.ts',
    'X03: a request with two ideas of its own length never reaches the application twice',
    ['src/http/server.ts', 'createHttpServer(options)', 'createHttpServer({ ...options, insecureHTTPParser: true })'],
  ),
  proof('X04', 'http-front.test.ts', 'X04: the address comes from the trusted proxies’ end of X-Forwarded-For', [
    'src/http/client-address.ts',
    "const comma = rest.lastIndexOf(',');",
    'const comma = -1; rest = rest.split(",", 1)[0] as string;',
  ]),
  proof(
    'X05',
    'account-api.test.ts',
    'X05: somebody else’s ids are not found, whatever they name, and nothing of theirs ends',
    [
      'src/sessions/sessions.ts',
      "if (!target) throw new AppError('not_found', { message: 'There is no such session.' });",
      'if (!target) return end(() => endings.session(id, { reason: "revoked", by }));',
    ],
  ),
  proof('X05', MATRIX, 'X05: on the pages, too, nobody reaches a session or an application of somebody else', [
    'src/sessions/sessions.ts',
    'if (!apps.some((app) => app.client_id === clientId)) {',
    'if (false) {',
  ]),
  {
    ...proof('X06', 'bad-input.test.ts', 'X06: __proto__ and its kind are names like any other', [
      'src/http/form-pairs.ts',
      '  for (const [name, value] of pairs) {',
      "  for (const [name, value] of pairs) { if (name === '__proto__[x]') Object.assign(Object.prototype, { x: value });",
    ]),
    within: 'every endpoint',
  },
  proof('X07', 'protocol.test.ts', 'T1, X07: of 100 parallel redemptions of one code exactly one succeeds', [
    'src/artifacts/sql.ts',
    "WHERE id = ? AND consumed_at IS NULL AND payload <> ''",
    "WHERE id = ? AND payload <> ''",
  ]),
  proof(
    'X08',
    'outbound-address.test.ts',
    'X08: a name is judged by what it resolves to, at the time of the connection',
    [
      'src/http/outbound-address.ts',
      "return parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || within(parsed, GLOBAL_IPV6));",
      'return true;',
    ],
  ),
  proof('X09', 'mail-smtp.test.ts', 'X09: neither subject, name nor receiver break out of their header', [
    'src/mail/message.ts',
    "subject: mail.subject.replace(/[\\p{Cc}\\p{Zl}\\p{Zp}]+/gu, ' ').trim()",
    'subject: mail.subject',
  ]),
  proof('X10', SOURCES, 'X10: no regular expression takes 50 ms for 50 KB of anything', [
    'src/artifacts/identifier.ts',
    'const TIMED = /^[0-9a-f]{12}[A-Za-z0-9_-]{43}$/;',
    'const TIMED = /^([0-9a-z]+)+$/;',
  ]),
  proof(
    'X11',
    'security-flows.test.ts',
    'T7, X11: no secret that a person or an application holds lies in the database files',
    [
      'src/artifacts/identifier.ts',
      'return TIMED.test(identifier) ? identifier.slice(0, TIME_LENGTH) + hashed : hashed;',
      'return identifier;',
    ],
  ),
  proof('X11', 'keyring.test.ts', 'X11: a sealed value opens in its own row and for its own purpose only', [
    'src/keyring/envelope.ts',
    '  decipher.final();\n',
    '',
  ]),
  proof('X11', 'keyring.test.ts', 'X11: what was opened once is remembered for its own row only', [
    'src/keyring/opened.ts',
    'known?.context === context ? known.text : undefined',
    'known?.text',
  ]),
  proof('X11', 'keyring.test.ts', 'X11: no nonce comes twice', [
    'src/keyring/envelope.ts',
    'takeRandom(NONCE_BYTES)',
    'Buffer.alloc(NONCE_BYTES)',
  ]),
  proof('X12', 'audit-chain.test.ts', 'each single value of each event, checkpoint and the head', [
    'src/audit/verify.ts',
    "if (!whole(row)) return fail(row.seq, 'changed', row.id);",
    '',
  ]),
  proof('X12', 'audit-loss.test.ts', 'sign_in.succeeded', [
    'src/accounts/sign-in-notices.ts',
    'yield* audit.record(signInOf(account.id, done));',
    '',
  ]),
  proof('X13', 'outbound.test.ts', 'X13: the time holds for the headers', [
    'src/http/outbound.ts',
    'AbortSignal.timeout(timeoutMs)',
    'AbortSignal.timeout(60_000)',
  ]),
  proof('X14', 'mail-smtp.test.ts', 'X14: a server that hides STARTTLS gets no mail and no password', [
    'src/mail/smtp.ts',
    'requireTLS: !secure && !plain,',
    'requireTLS: false,',
  ]),
  proof('X15', 'metrics.test.ts', 'X15: in production there are no metrics without a token, and none for a wrong one', [
    'src/ops/metrics-routes.ts',
    'if (!timingSafeEqual(digest(given), expected)) {',
    'if (false) {',
  ]),
  proof('X16', SOURCES, 'X16: every package is pinned by its content, and only known ones run something', [
    'package.json',
    '"koa": "3.3.0"',
    '"koa": "^3.3.0"',
  ]),
];

/** Each class of docs/security-requirements.md: covered by the lines that it names, or by a test of its own. */
export const HOLES: Proof[] = [
  proof('guessing in parallel', 'security-guesses.test.ts', 'P26: wrong secrets that another instance saw count here', [
    'src/limits/guesses.ts',
    'if (shared >= max)',
    'if (false)',
  ]),
  proof(
    'races of codes',
    'refresh.test.ts',
    'with the window at 0 one of 100 succeeds, and no loser ends what the winner got',
    ['src/sessions/refresh-token-store.ts', 'WHERE id = ? AND consumed_at IS NULL', 'WHERE id = ?'],
  ),
  proof('believed forwarding headers', 'http-front.test.ts', 'without trusted proxies the socket alone says who asks', [
    'src/http/client-address.ts',
    'while (rest !== undefined && trusted(address)) {',
    'while (rest !== undefined) {',
  ]),
  proof(
    'a nonce not checked',
    SOURCES,
    'A19: there is no way in by an outside identity, so nothing links by an address',
  ),
  proof(
    'SQL through cursors',
    'account-api-sessions.test.ts',
    'pages by cursor show every entry once, and limit and cursor are checked',
  ),
  proof(
    'caches that know too little',
    'cli-process.test.ts',
    'a running instance sends what is invited, and takes a client, its new secret and its end within a second',
  ),
  proof('links built from the request', 'http-front.test.ts', 'T3, D8: only the issuer’s own host is served', [
    'src/http/front.ts',
    'if (!hosts.has(host) && !hosts.has(host.toLowerCase())) {',
    'if (false) {',
  ]),
  proof('one-time secrets', MATRIX, 'one-time secrets for another purpose: each at every door that takes one', [
    'src/accounts/challenges.ts',
    'const challenge = await store.newest(flow, purposes);',
    "const challenge = await store.newest(flow, ['reset', ...purposes]);",
  ]),
  proof('script in pages', 'views-escaping.test.ts', 'a brand name is escaped too', [
    'views/layout.ejs',
    '<%= brand.name %></title>',
    '<%- brand.name %></title>',
  ]),
  proof(
    'rights that outlive their reason',
    'sessions.test.ts',
    'rights that outlive their reason: a session that was ended while a request was under way does not come back',
    [
      'src/sessions/session-store.ts',
      "NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.id = 'session:' || s.uid)",
      '1 = 1',
    ],
  ),
  proof(
    'spent things alive after a restart',
    'redis-faults.test.ts',
    'an older snapshot brings nothing back that was redeemed, revoked or ended after it',
    undefined,
  ),
  proof(
    'identifiers used again',
    'security-tokens.test.ts',
    'P24: the subject of a client’s own token is never a person’s',
    ['src/accounts/registration.ts', 'id: `usr_${', 'id: `acc_${'],
  ),
  proof(
    'two spellings of one address',
    'email.test.ts',
    'T19: a letter that folds into ASCII is refused and never becomes another person',
    [
      'src/accounts/email.ts',
      "const text = input.replace(OUTER_SPACE, '');",
      "const text = input.replace(OUTER_SPACE, '').normalize('NFKC');",
    ],
  ),
  proof(
    'fields nobody meant to accept',
    'account-api.test.ts',
    'X05: a member that is unknown, misshapen or not the caller’s to change is refused by name',
    undefined,
  ),
  proof('huge input', 'http-body.test.ts', 'huge input: 64 KiB are read, one byte more is 413', [
    'src/http/body.ts',
    'export const MAX_BODY = 64 * 1024;',
    'export const MAX_BODY = 65 * 1024;',
  ]),
  proof(
    'tokens that change and still match',
    'security-tokens.test.ts',
    'tokens that change and still match: the exact text counts, not what it decodes to',
    [
      'src/artifacts/identifier.ts',
      "hash('sha256', identifier, 'base64url')",
      // The time as it is, of the random part what it decodes to.
      "hash('sha256', Buffer.concat([Buffer.from(identifier.slice(0, 12)), Buffer.from(identifier.slice(12), 'base64url')]), 'base64url')",
    ],
  ),
  proof(
    'state shared between requests',
    MATRIX,
    'state shared between requests: fifty people at once, each their own',
    [
      'src/accounts/accounts.ts',
      "      const account = await store.byId(id);\n      return account?.status === 'active' ? account : undefined;",
      "      const kept = globalThis as { one?: Account }; kept.one ??= await store.byId(id); const account = kept.one;\n      return account?.status === 'active' ? account : undefined;",
    ],
  ),
  proof('secrets everybody knows', 'config.test.ts', 'secrets everybody knows: keys that are not random are refused', [
    'src/config/secrets.ts',
    'if (weakness) throw',
    'if (false) throw',
  ]),
  proof('secrets in logs', 'security-canary.test.ts', 'secrets in logs: whatever went through is in no line', [
    'src/http/request-log.ts',
    'quoted(shortPath(path))',
    'quoted(path)',
  ]),
  proof('failing open', 'bad-input-storage.test.ts', 'P38: while the store is away nothing is said to be revoked', [
    'src/oidc/unavailable.ts',
    '  throw unavailable;\n',
    '  return undefined as never;\n',
  ]),
  proof(
    'expiry left to a cleaner',
    'security-codes.test.ts',
    'P10: a code is dead 61 seconds later, and alive shortly before',
    [`${CORE}/actions/grants/authorization_code.js`, '  if (code.isExpired) {', '  if (false) {'],
  ),
  proof(
    'crashes by headers',
    'bad-input-fuzz.test.ts',
    'whatever is sent to any address, the answer is decent',
    undefined,
  ),
  proof(
    'forged posts',
    'security-authorize.test.ts',
    'P20, P37: the authorization endpoint takes a form and goes on by GET, with the same checks',
    ['src/oidc/input.ts', '  checkPairs(pairs, true);\n', ''],
  ),
];

/** Faults are made, not written: their tests break things from outside. */
export const FAULTS: Proof[] = [
  ['kill -9 at random moments under load', 'faults-crash.test.ts', 'kill -9 at random moments, SQLite'],
  ['PostgreSQL stopped hard and started', 'faults-postgres.test.ts', 'PostgreSQL crashes and restarts under load'],
  ['disk full', 'faults-storage.test.ts', 'disk full, or a file that can not be written'],
  ['database locked by another process', 'faults-storage.test.ts', 'SQLite locked by another process'],
  [
    'database broken, missing, read-only, no database at all',
    'faults-storage.test.ts',
    'a damaged, foreign, missing or empty database at the start',
  ],
  [
    'Redis killed',
    'redis-faults.test.ts',
    'sign-in and refresh go on, fast again within two seconds; back within five of its return',
  ],
  ['Redis hanging', 'redis-faults.test.ts', 'it is noticed within a second'],
  ['Redis emptied', 'redis-faults.test.ts', 'emptied while it runs: sign-ins start over, and nobody is signed out'],
  [
    'Redis evicting or full',
    'redis-faults.test.ts',
    'one that may throw values away is reported, in the log and to probes',
  ],
  ['Redis read-only', 'redis-faults.test.ts', 'it is noticed within a second'],
  [
    'mail server down, silent, rejecting, slow, dropping',
    'outbox.test.ts',
    'SMTP is down: pages answer at once, and the mail leaves when it is back',
  ],
  ['power cut (only what was synced survives)', 'faults-crash.test.ts', 'loss of power, SQLite'],
  ['out of descriptors', 'faults-crowd.test.ts', 'no file descriptors left'],
  ['the clock jumps by hours', 'faults-clock.test.ts', 'the clock jumps two hours ahead and one hour back'],
  [
    'SIGTERM under load, rolling restart',
    'faults-stop.test.ts',
    'SIGTERM under load, rolling restart of two instances',
  ],
  ['slow headers, bodies, readers', 'faults-crowd.test.ts', 'idle connections, slow headers and slow bodies'],
  ['10,000 idle connections', 'faults-crowd.test.ts', 'idle connections, slow headers and slow bodies'],
  ['every parameter fuzzed', 'bad-input-fuzz.test.ts', 'whatever is sent to any address, the answer is decent'],
  ['a flood of sign-ins', 'faults-crowd.test.ts', 'parallel sign-ins'],
  ['migration killed, or two at once', 'faults-migrations.test.ts', 'a migration killed half-way, SQLite'],
  ['backup and restore', 'faults-backup.test.ts', 'backup under load, restored into an empty folder'],
  [
    'data of every released version',
    'upgrade.test.ts',
    'upgrades, and its people go on with their tokens and passwords',
  ],
  ['signing keys rotated under load', 'keys.test.ts', 'rotated again and again under load'],
  [
    'key-encryption key rotated, also half-way killed',
    'secrets.test.ts',
    'killed in the middle, run again, and then without the old key',
  ],
  ['audit write fails', 'audit-loss.test.ts', 'X12, D6: without its record nothing changes'],
  ['the n-th statement fails', 'faults-statements.test.ts', 'the n-th statement fails, once or from then on'],
].map(([id = '', file = '', test = '']) => proof(id, file, test));

/** Faults without a test in `npm test`. */
export const FAULTS_AWAITED: Record<string, string> = {
  'a million sessions': 'measured by npm run bench, docs/performance.md',
};
