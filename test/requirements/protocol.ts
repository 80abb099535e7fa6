/** The tests of the requirements P01 to P41. */
import { CORE, type Proof, proof } from './requirement.ts';

const CODES = 'security-codes.test.ts';
const TOKENS = 'security-tokens.test.ts';
const MATRIX = 'security-matrix.test.ts';
const BAD = 'bad-input.test.ts';
const REQUESTS = 'security-requests.test.ts';
const HANDS = 'security-hands.test.ts';

export const PROTOCOL: Proof[] = [
  proof('P01', CODES, 'P01: thirty near misses of a registered redirect end on our own page', [
    `${CORE}/models/client.js`,
    'if (allowedUris.includes(value)) {',
    'if (allowedUris.some((uri) => value.startsWith(uri))) {',
  ]),
  proof('P02', CODES, 'P02: any port of 127.0.0.1 and [::1]', [
    'src/oidc/provider.ts',
    '  anyPortOfLoopbackLiterals(provider);\n',
    '',
  ]),
  proof(
    'P03',
    'config-file.test.ts',
    'redirect addresses: https, loopback http, and for native clients a reversed domain (P03, P04)',
    [
      'src/config/redirect-uri.ts',
      "  if (url.protocol === 'http:') return httpFault(url, applicationType);",
      "  if (url.protocol === 'http:') return undefined;",
    ],
  ),
  proof(
    'P04',
    'config-file.test.ts',
    'redirect addresses: https, loopback http, and for native clients a reversed domain (P03, P04)',
    ['src/config/redirect-uri.ts', '(\\.[a-z0-9-]+)+:$/;', '(\\.[a-z0-9-]+)*:$/;'],
  ),
  proof('P05', 'people.test.ts', 'P05, S06: a native application gets no silent approval', [
    'src/oidc/interactions.ts',
    'isImpersonable(ctx) && !askedNow(ctx) ?',
    'false ?',
  ]),
  proof('P06', 'protocol.test.ts', 'P06 P07: PKCE is S256, required, and can not be left out half-way', [
    'src/oidc/provider.ts',
    "client.clientAuthMethod === 'none' || client['require_pkce'] !== false,",
    'false,',
  ]),
  proof('P07', 'protocol.test.ts', 'P06 P07: PKCE is S256, required, and can not be left out half-way', [
    `${CORE}/helpers/pkce.js`,
    'if (verifier || challenge) {',
    'if (verifier && challenge) {',
  ]),
  proof('P08', CODES, 'P08: a verifier has 43 to 128 characters of its alphabet, whatever its hash', [
    `${CORE}/helpers/pkce.js`,
    "    checkFormat(verifier, 'code_verifier');\n",
    '',
  ]),
  proof(
    'P09',
    'protocol.test.ts',
    'P09 P11: a code works once, for its own client and redirect, and its reuse ends what it gave',
    [`${CORE}/helpers/grant_source.js`, '    await revoke(ctx, source.grantId);\n', ''],
  ),
  proof(
    'P09',
    HANDS,
    'P09: a second use of a code by another client, with another verifier or redirect takes back nothing',
    [
      `${CORE}/helpers/grant_source.js`,
      '  if (source.clientId !== ctx.oidc.client.clientId) {',
      '  if (source.consumed) await revoke(ctx, source.grantId);\n  if (source.clientId !== ctx.oidc.client.clientId) {',
    ],
  ),
  proof('P10', CODES, 'P10: a code is dead 61 seconds later, and alive shortly before', [
    'src/oidc/lifetimes.ts',
    'AuthorizationCode: lifetimes.authorizationCode,',
    'AuthorizationCode: lifetimes.authorizationCode * 2,',
  ]),
  proof(
    'P11',
    'protocol.test.ts',
    'P09 P11: a code works once, for its own client and redirect, and its reuse ends what it gave',
    [
      `${CORE}/actions/grants/authorization_code.js`,
      'if (code.redirectUri !== ctx.oidc.params.redirect_uri) {',
      'if (false) {',
    ],
  ),
  proof(
    'P11',
    'security-authorize.test.ts',
    'P11: a code of the account pages is worth nothing, also to who chose its challenge',
    [
      'src/oidc/provider.ts',
      "token_endpoint_auth_method: 'client_secret_basic' as const,",
      "token_endpoint_auth_method: 'none' as const,",
    ],
  ),
  proof('P12', 'refresh.test.ts', 'P12: a repetition after the window is theft and ends the grant', [
    'src/oidc/refresh-replay.ts',
    '        await endGrant(token.grantId);\n',
    '',
  ]),
  proof('P13', 'refresh.test.ts', 'P13: 100 parallel uses of a public client get one answer, and one successor lives', [
    'src/sessions/refresh-token-store.ts',
    'WHERE id = ? AND consumed_at IS NULL',
    'WHERE id = ?',
  ]),
  proof('P13', HANDS, 'P13: a spent token with another DPoP key, or without one, is refused and ends the family', [
    'src/oidc/refresh-replay.ts',
    "return token.jkt === undefined || token.jkt === thumbprintOfProof(ctx.get('DPoP'));",
    'return true;',
  ]),
  proof('P14', 'refresh.test.ts', 'P14: a chain ends after 7 days without use, and after 90 days however used', [
    'src/oidc/lifetimes.ts',
    'Math.min(idle, absolute - age)',
    'idle',
  ]),
  proof('P15', CODES, 'P15: a refresh asks for no more than the grant has, and the grant must still live', [
    `${CORE}/actions/grants/refresh_token.js`,
    '  if (ctx.oidc.params.scope) {',
    '  if (false) {',
  ]),
  proof('P16', TOKENS, 'P16: no kind of token opens what another is for; access tokens say at+jwt and their audience', [
    'src/oidc/provider.ts',
    '    claims: { ...SCOPE_CLAIMS, iss: null, sid: null } as never,',
    "    claims: { ...SCOPE_CLAIMS, iss: null, sid: null } as never,\n    formats: { customizers: { jwt: async (_ctx: unknown, _token: unknown, parts: { header: object }) => { parts.header = { typ: 'JWT' }; return parts; } } } as never,",
  ]),
  proof('P17', REQUESTS, 'P17: there is no password grant and no implicit or hybrid flow', [
    'src/oidc/client-rules.ts',
    "  responseTypes: ['code'],",
    "  responseTypes: ['code', 'id_token'],",
  ]),
  proof('P18', CODES, 'P18: every answer of the authorization endpoint names its issuer', [
    `${CORE}/shared/authorization_error_handler.js`,
    ', iss: ctx.oidc.provider.issuer };',
    ' };',
  ]),
  proof('P19', CODES, 'P19: nothing but a 303 follows a post', [
    'src/login/flows.ts',
    '      ctx.status = 303;\n      ctx.redirect(interaction.returnTo);',
    '      ctx.redirect(interaction.returnTo);\n      ctx.status = 302;',
  ]),
  proof('P20', 'protocol.test.ts', 'P01 P20: an unknown client or redirect gets a page, never a redirect', [
    `${CORE}/models/client.js`,
    'if (allowedUris.includes(value)) {',
    'if (true) {',
  ]),
  proof(
    'P20',
    'security-authorize.test.ts',
    'P20, P37: the authorization endpoint takes a form and goes on by GET, with the same checks',
    ['src/oidc/input.ts', 'if (posted) {', 'if (false) {'],
  ),
  proof('P21', MATRIX, 'P21, P22, X01: every page has the whole policy', [
    'src/http/headers.ts',
    `  "frame-ancestors 'none'",\n`,
    '',
  ]),
  proof('P22', MATRIX, 'P21, P22, X01: every page has the whole policy', [
    'src/http/headers.ts',
    "policy: 'no-referrer'",
    "policy: 'origin'",
  ]),
  proof('P23', MATRIX, 'P23: a strange or null origin is allowed nothing, and nobody gets cookies', [
    'src/http/cors.ts',
    'isOrigin(origin) && (await allowed(origin)) ? origin',
    'isOrigin(origin) ? origin',
  ]),
  proof('P24', TOKENS, 'P24: the subject of a client’s own token is never a person’s', [
    'src/oidc/clients.ts',
    "if (metadata.client_id.startsWith('usr_'))",
    'if (false)',
  ]),
  proof('P25', TOKENS, 'P25: of six assertions the one for the issuer, at its time, once, is taken', [
    'src/oidc/provider.ts',
    'if (aud !== ctx.oidc.issuer)',
    'if (false)',
  ]),
  proof(
    'P26',
    'security-guesses.test.ts',
    'P26: after 20 wrong secrets in a minute nothing more is checked for this client and address, in parallel too',
    ['src/limits/guesses.ts', 'if (failures >= max) throw', 'if (false) throw'],
  ),
  proof('P27', TOKENS, 'P27: tokens, codes and cookies carry 256 random bits without a pattern', [
    'src/artifacts/identifier.ts',
    'takeRandom(32)',
    "Buffer.from(takeRandom(32).toString('hex').slice(0, 32))",
  ]),
  proof('P28', TOKENS, 'P28: nobody registers a client by HTTP, and no script is a redirect', [
    'src/oidc/client-rules.ts',
    '  revocation: { enabled: true },',
    '  revocation: { enabled: true },\n  registration: { enabled: true },',
  ]),
  proof('P29', 'sessions.test.ts', 'P29: removing an application takes back its consent and its tokens', [
    'src/sessions/endings.ts',
    '      yield* forgetConsent(accountId, clientId);\n',
    '',
  ]),
  proof(
    'P30',
    'sessions.test.ts',
    'P30: signing out by the protocol asks first without a hint, and goes only to a registered address',
    ['src/oidc/sign-out.ts', 'hint?.sub !== session.accountId', 'false'],
  ),
  proof(
    'P31',
    'backchannel-logout.test.ts',
    'P31: a logout token is what the specification asks for, and fits the ID token',
    ['src/oidc/logout-notice.ts', "    token.set('events', { [EVENT]: {} });\n", ''],
  ),
  proof('P32', REQUESTS, 'P32: a pushed request works once, under prompt=none as well', [
    `${CORE}/actions/authorization/respond.js`,
    '  await pushedAuthorizationRequest?.consume();\n',
    '',
  ]),
  proof('P32', REQUESTS, 'P32: a pushed request is of no use to another client', [
    `${CORE}/actions/authorization/process_request_object.js`,
    'const { payload, header: { alg } } = decoded;',
    'const { payload, header: { alg } } = decoded; if (pushedRequestObject) payload.client_id = payload.iss = client.clientId;',
  ]),
  proof('P32', REQUESTS, 'P32: a pushed request is dead after its minute', [
    `${CORE}/actions/authorization/pushed_authorization_requests.js`,
    'const MAX_TTL = 60;',
    'const MAX_TTL = 120;',
  ]),
  proof('P33', TOKENS, 'P33: twelve forged tokens are refused, and nothing weak is offered', [
    'src/oidc/client-rules.ts',
    "const SIGNING = ['RS256', 'ES256', 'EdDSA'];",
    "const SIGNING = ['RS256', 'ES256', 'EdDSA', 'HS256'];",
  ]),
  proof('P34', REQUESTS, 'P34: the nonce comes back byte for byte, and none where none was sent', [
    `${CORE}/helpers/grant_common.js`,
    "token.set('nonce', source.nonce);",
    "token.set('nonce', source.nonce?.trim());",
  ]),
  proof('P34', REQUESTS, 'P34: prompt=login asks whoever is signed in, and going on without an answer is asked again', [
    `${CORE}/helpers/oidc_context.js`,
    'return should.has(name);',
    'return false;',
  ]),
  proof('P34', REQUESTS, 'P34: a sign-in older than max_age is asked for again, and auth_time is that of the new one', [
    `${CORE}/helpers/interaction_policy/prompts/login.js`,
    'if (oidc.session.past(oidc.params.max_age) && (!ctx.oidc.result?.login)) {',
    'if (false) {',
  ]),
  proof(
    'P34',
    'security-guesses.test.ts',
    'P34: auth_time is when the password was proved, not when the consent was given',
    ['src/login/login.ts', ', ts: authTime };', ' };'],
  ),
  proof('P35', 'security-sources.test.ts', 'P35: secrets are compared by timingSafeEqual and by nothing else', [
    'src/http/csrf.ts',
    'return timingSafeEqual(Buffer.from(seal(token.slice(0, 22), binding)), Buffer.from(token));',
    'const wantedToken = seal(token.slice(0, 22), binding); return wantedToken === token;',
  ]),
  proof('P36', MATRIX, 'P36: no cache keeps anything but public documents and files', [
    'src/oidc/middleware.ts',
    "ctx.set('Cache-Control', 'no-store');",
    '',
  ]),
  {
    ...proof('P37', BAD, 'P37: refuses a parameter that is sent twice', [
      'src/oidc/input.ts',
      'if (seen.has(name) &&',
      'if (false &&',
    ]),
    within: 'every endpoint',
  },
  proof('P38', 'bad-input-storage.test.ts', 'P38: while the store is away nothing is said to be revoked', [
    'src/oidc/unavailable.ts',
    'unavailable.statusCode = 503;',
    'unavailable.statusCode = 200;',
  ]),
  proof(
    'P39',
    'bad-input-storage.test.ts',
    'P39: introspection answers clients that prove who they are, about tokens that are meant for them',
    ['src/oidc/provider.ts', '.aud !== client.clientId) return false;', '.aud !== client.clientId) return true;'],
  ),
  proof(
    'P40',
    'security-guesses.test.ts',
    'P40: after five wrong user codes in one session the right one is not taken any more',
    ['src/oidc/guesses.ts', 'session: 5,', 'session: 50,'],
  ),
  proof('P40', HANDS, 'P40: a user code is confirmed by a click in the browser that typed it, and by nothing else', [
    `${CORE}/shared/xsrf.js`,
    "if (!constantEquals(ctx.oidc.session.state.secret, ctx.oidc.params.xsrf || '')) {",
    'if (false) {',
  ]),
  {
    ...proof('P41', BAD, 'P41: refuses a value of 5 KB instead of dropping or storing it', [
      'src/oidc/input.ts',
      'const MAX_VALUE = 4096;',
      'const MAX_VALUE = 40960;',
    ]),
    within: 'every endpoint',
  },
];
