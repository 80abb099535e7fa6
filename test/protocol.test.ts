/** The protocol end to end: every grant and endpoint through HTTP, with the answers a client library expects. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import * as jose from 'jose';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, FIREFOX, signedIn, signIn, somebody, token } from './support/flow.ts';
import { createVisitor } from './support/visitor.ts';

const API = 'https://api.example.com';
const CONFIG = `
resources:
  - identifier: ${API}
    name: Example API
    scopes:
      - name: things:read
        title: See your things
`;

async function discovery(app: TestApp) {
  return (await (await fetch(`${app.url}/.well-known/openid-configuration`)).json()) as Record<string, unknown>;
}

async function post(
  app: TestApp,
  path: string,
  client: { client_id: string; client_secret?: string },
  params: Record<string, string>,
) {
  const authorization = `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')}`;
  const response = await fetch(app.url + path, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams(params),
  });
  return response;
}

test('discovery at both addresses offers the code flow only, and nothing weak', async (t) => {
  const app = await startApp(t);
  const document = await discovery(app);
  const other = await (await fetch(`${app.url}/.well-known/oauth-authorization-server`)).json();
  assert.deepEqual(document, other);
  assert.equal(document['issuer'], app.url);
  assert.deepEqual(document['response_types_supported'], ['code']);
  assert.deepEqual(document['code_challenge_methods_supported'], ['S256']);
  assert.deepEqual(document['id_token_signing_alg_values_supported'], ['RS256', 'ES256', 'EdDSA']);
  assert.equal(document['authorization_response_iss_parameter_supported'], true);
  assert.ok(!(document['grant_types_supported'] as string[]).includes('implicit'));
  assert.ok((document['prompt_values_supported'] as string[]).includes('create'));
  for (const [name, value] of Object.entries(document)) {
    if (/_endpoint$|_uri$/.test(name)) assert.ok(String(value).startsWith(`${app.url}/`), `${name}: ${value}`);
  }
});

test('the key set holds public keys of three algorithms, the same after a restart', async (t) => {
  const app = await startApp(t);
  const keys = async () =>
    ((await (await fetch(`${app.url}/.well-known/jwks.json`)).json()) as { keys: jose.JWK[] }).keys;
  const first = await keys();
  assert.deepEqual(
    first.map(({ alg }) => alg),
    ['RS256', 'ES256', 'EdDSA'],
  );
  for (const key of first) assert.equal(key.d, undefined);
  const stored = await app.services.db.all<{ private_jwk: string }>('SELECT private_jwk FROM signing_keys');
  for (const { private_jwk } of stored) assert.match(private_jwk, /^v1\./);
});

test('WebFinger names the issuer for any address, known or not', async (t) => {
  const app = await startApp(t);
  const response = await fetch(
    `${app.url}/.well-known/webfinger?resource=acct:nobody@example.com&rel=http://openid.net/specs/connect/1.0/issuer`,
  );
  assert.equal(response.headers.get('content-type'), 'application/jrd+json');
  assert.deepEqual(await response.json(), {
    subject: 'acct:nobody@example.com',
    links: [{ rel: 'http://openid.net/specs/connect/1.0/issuer', href: app.url }],
  });
  assert.equal((await fetch(`${app.url}/.well-known/webfinger`)).status, 400);
});

test('a person signs in once and a second application gets its code without a page', async (t) => {
  const app = await startApp(t);
  const { visitor, person, client, tokens } = await signedIn(app);
  const jwks = jose.createRemoteJWKSet(new URL(`${app.url}/.well-known/jwks.json`));
  const { payload, protectedHeader } = await jose.jwtVerify(tokens.id_token as string, jwks, {
    issuer: app.url,
    audience: client.client_id,
  });
  assert.equal(protectedHeader.alg, 'RS256');
  assert.equal(payload.sub, person.id);
  assert.equal(payload['email'], person.email);
  assert.equal(payload['email_verified'], true);
  assert.equal(payload['name'], person.name);
  assert.deepEqual(payload['amr'], ['pwd']);
  assert.ok(tokens.refresh_token, 'a client with the grant gets a refresh token without prompt=consent');

  const second = await app.client({ client_name: 'Second' });
  const page = await visitor.open(authorizationRequest(app, second.client_id).url);
  assert.ok(codeOf(page), page.url);
  assert.equal(new URL(page.url).searchParams.get('iss'), app.url);
});

test('userinfo answers with the claims of the granted scopes only', async (t) => {
  const app = await startApp(t);
  const { tokens, person } = await signedIn(app, { scope: 'openid email' });
  const response = await fetch(`${app.url}/oauth2/userinfo`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  assert.deepEqual(await response.json(), { sub: person.id, email: person.email, email_verified: true });
  assert.match(String(response.headers.get('cache-control')), /no-store/);
});

test('a client may ask for single claims', async (t) => {
  const app = await startApp(t);
  const claims = JSON.stringify({ id_token: { given_name: null }, userinfo: { zoneinfo: null } });
  const person = await somebody(app);
  await app.services.accounts.changeProfile(person.id, { given_name: 'Ada', zoneinfo: 'Europe/Paris' });
  const { tokens } = await signedIn(app, { person, scope: 'openid', params: { claims } });
  assert.equal(jose.decodeJwt(tokens.id_token as string)['given_name'], 'Ada');
  const userinfo = await fetch(`${app.url}/oauth2/userinfo`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  assert.equal(((await userinfo.json()) as Record<string, unknown>)['zoneinfo'], 'Europe/Paris');
});

for (const alg of ['ES256', 'EdDSA']) {
  test(`a client may have its ID tokens signed with ${alg}`, async (t) => {
    const app = await startApp(t);
    const { tokens } = await signedIn(app, { client: await app.client({ id_token_signed_response_alg: alg }) });
    assert.equal(jose.decodeProtectedHeader(tokens.id_token as string).alg, alg);
  });
}

test('P06 P07: PKCE is S256, required, and can not be left out half-way', async (t) => {
  const app = await startApp(t);
  const spa = await app.client({ token_endpoint_auth_method: 'none' });
  const server = await app.client();
  const relaxed = await app.client({ require_pkce: false });
  const visitor = createVisitor(app.url);
  const refused = async (clientId: string, params: Record<string, string | undefined>) =>
    new URL((await visitor.open(authorizationRequest(app, clientId, params).url)).url).searchParams.get('error');
  const without = { code_challenge: undefined, code_challenge_method: undefined };
  assert.equal(await refused(spa.client_id, without), 'invalid_request');
  assert.equal(await refused(server.client_id, without), 'invalid_request');
  assert.equal(await refused(spa.client_id, { code_challenge_method: 'plain' }), 'invalid_request');
  assert.equal(await refused(server.client_id, { code_challenge_method: 'plain' }), 'invalid_request');

  const person = await somebody(app);
  const signed = await signIn(
    visitor,
    await visitor.open(authorizationRequest(app, relaxed.client_id, without).url),
    person,
  );
  const unbound = codeOf(signed) as string;
  const sent = await token(app, relaxed, {
    grant_type: 'authorization_code',
    code: unbound,
    redirect_uri: CALLBACK,
    code_verifier: 'v'.repeat(43),
  });
  assert.equal(sent.body.error, 'invalid_grant', 'a verifier without a challenge');
  const bound = codeOf(await visitor.open(authorizationRequest(app, server.client_id).url)) as string;
  const missing = await token(app, server, { grant_type: 'authorization_code', code: bound, redirect_uri: CALLBACK });
  assert.equal(missing.body.error, 'invalid_grant', 'a challenge without a verifier');
});

/** Who comes at the same time is no thief. */
const later = (t: TestContext) => t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2100 });

test('P09 P11: a code works once, for its own client and redirect, and its reuse ends what it gave', async (t) => {
  const app = await startApp(t);
  const client = await app.client({ redirect_uris: [CALLBACK, `${CALLBACK}/other`] });
  const other = await app.client();
  const person = await somebody(app);
  const visitor = createVisitor(app.url);
  const request = authorizationRequest(app, client.client_id);
  const code = codeOf(await signIn(visitor, await visitor.open(request.url), person)) as string;
  const good = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: request.verifier };
  for (const [who, changes] of [
    [other, {}],
    [client, { redirect_uri: `${CALLBACK}/other` }],
    [client, { code_verifier: randomBytes(32).toString('base64url') }],
  ] as const) {
    assert.equal((await token(app, who, { ...good, ...changes })).body.error, 'invalid_grant');
  }
  const won = await token(app, client, good);
  assert.equal(won.status, 200);
  await later(t);
  assert.equal((await token(app, client, good)).body.error, 'invalid_grant');
  const introspected = await post(app, '/oauth2/introspect', client, { token: won.body.access_token });
  assert.deepEqual(await introspected.json(), { active: false });
  assert.equal(
    (await token(app, client, { grant_type: 'refresh_token', refresh_token: won.body.refresh_token as string })).body
      .error,
    'invalid_grant',
  );
});

test('T1, X07: of 100 parallel redemptions of one code exactly one succeeds', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const visitor = createVisitor(app.url);
  const request = authorizationRequest(app, client.client_id);
  const code = codeOf(await signIn(visitor, await visitor.open(request.url), await somebody(app))) as string;
  const params = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: request.verifier };
  const hundred = <Result>(work: () => Promise<Result>) => Promise.all(Array.from({ length: 100 }, work));
  // Connections that are open already bring them at the same moment.
  await hundred(async () => (await fetch(`${app.url}/.well-known/jwks.json`)).arrayBuffer());
  const answers = await hundred(() => token(app, client, params));
  const [won, ...more] = answers.filter(({ status }) => status === 200);
  assert.equal(more.length, 0);
  assert.ok(answers.every(({ status }) => status === 200 || status === 400));
  assert.equal(await isActive(won), true, 'no loser ends what the winner got');
  const sql = 'SELECT MAX(consumed_at) AS "at" FROM artifacts';
  const spent = (await app.services.db.one<{ at: number }>(sql))?.at as number;
  t.mock.timers.enable({ apis: ['Date'], now: spent + 1500 });
  assert.equal((await token(app, client, params)).body.error, 'invalid_grant');
  assert.equal(await isActive(won), true, 'nor does a loser who was held up on the way');

  async function isActive(answer?: Awaited<ReturnType<typeof token>>): Promise<unknown> {
    const introspected = await post(app, '/oauth2/introspect', client, { token: answer?.body.access_token as string });
    return ((await introspected.json()) as { active: boolean }).active;
  }
});

test('a public client gets a new refresh token at every use; a confidential one keeps its own', async (t) => {
  const app = await startApp(t);
  const spa = await signedIn(app, { client: await app.client({ token_endpoint_auth_method: 'none' }) });
  const rotated = await token(app, spa.client, {
    grant_type: 'refresh_token',
    refresh_token: spa.tokens.refresh_token as string,
  });
  assert.equal(rotated.status, 200);
  assert.notEqual(rotated.body.refresh_token, spa.tokens.refresh_token);
  const server = await signedIn(app);
  const kept = await token(app, server.client, {
    grant_type: 'refresh_token',
    refresh_token: server.tokens.refresh_token as string,
  });
  assert.equal(kept.status, 200);
  assert.equal(kept.body.refresh_token, server.tokens.refresh_token);
  const wider = await token(app, server.client, {
    grant_type: 'refresh_token',
    refresh_token: server.tokens.refresh_token as string,
    scope: 'openid phone',
  });
  assert.equal(wider.body.error, 'invalid_scope');
});

test('client credentials give a token that introspection knows and nobody else may see', async (t) => {
  const app = await startApp(t);
  const service = await app.client({ grant_types: ['client_credentials'], response_types: [], redirect_uris: [] });
  const stranger = await app.client();
  const { body, status } = await token(app, service, { grant_type: 'client_credentials' });
  assert.equal(status, 200);
  const seen = (await (await post(app, '/oauth2/introspect', service, { token: body.access_token })).json()) as Record<
    string,
    unknown
  >;
  assert.equal(seen['active'], true);
  assert.equal(seen['client_id'], service.client_id);
  assert.deepEqual(await (await post(app, '/oauth2/introspect', stranger, { token: body.access_token })).json(), {
    active: false,
  });
});

test('a declared resource gets a JWT of RFC 9068, another one is refused', async (t) => {
  const app = await startApp(t, { config: CONFIG });
  const { client, visitor, tokens } = await signedIn(app, { scope: 'openid things:read', params: { resource: API } });
  const jwks = jose.createRemoteJWKSet(new URL(`${app.url}/.well-known/jwks.json`));
  const { payload, protectedHeader } = await jose.jwtVerify(tokens.access_token, jwks, {
    issuer: app.url,
    audience: API,
  });
  assert.equal(protectedHeader.typ, 'at+jwt');
  assert.equal(protectedHeader.alg, 'ES256');
  assert.equal(payload['scope'], 'things:read');
  assert.equal(payload['client_id'], client.client_id);
  const page = await visitor.open(
    authorizationRequest(app, client.client_id, { resource: 'https://other.example.com' }).url,
  );
  assert.equal(new URL(page.url).searchParams.get('error'), 'invalid_target');
});

test('revoking a token ends it', async (t) => {
  const app = await startApp(t);
  const { client, tokens } = await signedIn(app);
  const response = await post(app, '/oauth2/revoke', client, { token: tokens.refresh_token as string });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), null, 'oidc-client-ts fails on an empty answer with a type');
  assert.equal(
    (await token(app, client, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token as string })).body
      .error,
    'invalid_grant',
  );
});

test('DPoP binds tokens to a key, and a proof works once', async (t) => {
  const app = await startApp(t);
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  const jwk = await jose.exportJWK(publicKey);
  const proof = (htm: string, path: string, accessToken?: string) => {
    const ath = accessToken ? { ath: createHash('sha256').update(accessToken).digest('base64url') } : {};
    return new jose.SignJWT({ htm, htu: app.url + path, jti: randomBytes(12).toString('hex'), ...ath })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .setIssuedAt()
      .sign(privateKey);
  };
  const client = await app.client({ token_endpoint_auth_method: 'none' });
  const visitor = createVisitor(app.url);
  const request = authorizationRequest(app, client.client_id);
  const code = codeOf(await signIn(visitor, await visitor.open(request.url), await somebody(app))) as string;
  const params = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: request.verifier };
  const { body, status } = await token(app, client, params, { dpop: await proof('POST', '/oauth2/token') });
  assert.equal(status, 200);
  assert.equal(body['token_type'], 'DPoP');
  const dpop = await proof('GET', '/oauth2/userinfo', body.access_token);
  const ask = () =>
    fetch(`${app.url}/oauth2/userinfo`, { headers: { authorization: `DPoP ${body.access_token}`, dpop } });
  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
  const bearer = await fetch(`${app.url}/oauth2/userinfo`, {
    headers: { authorization: `Bearer ${body.access_token}` },
  });
  assert.equal(bearer.status, 401);
});

test('a device signs in through a code that a person confirms on another screen', async (t) => {
  const app = await startApp(t);
  const device = await app.client({
    client_name: 'Living room TV',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    response_types: [],
    redirect_uris: [],
  });
  const started = await fetch(`${app.url}/oauth2/device_authorization`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: device.client_id, scope: 'openid email' }),
  });
  const grant = (await started.json()) as {
    device_code: string;
    user_code: string;
    verification_uri: string;
    verification_uri_complete: string;
  };
  assert.equal(grant.verification_uri, `${app.url}/device`);
  const poll = () =>
    token(
      app,
      { client_id: device.client_id },
      { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: grant.device_code },
    );
  assert.equal((await poll()).body.error, 'authorization_pending');

  const person = await somebody(app);
  const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
  const wrong = await visitor.submit(await visitor.open(grant.verification_uri), { user_code: 'BCDF-GHJK' });
  assert.match(wrong.html, /aria-invalid="true"/);
  const confirm = await visitor.submit(wrong, { user_code: grant.user_code.toLowerCase() });
  assert.match(confirm.html, /Living room TV/);
  const login = await visitor.submit(confirm, { confirm: 'yes' });
  const done = await signIn(visitor, login, person);
  assert.equal(done.status, 200, done.html.slice(0, 500));
  const { body, status } = await poll();
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(jose.decodeJwt(body.id_token as string).sub, person.id);
});

test('form_post answers by a form that goes to the application', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const visitor = createVisitor(app.url);
  const login = await visitor.open(authorizationRequest(app, client.client_id, { response_mode: 'form_post' }).url);
  const page = await signIn(visitor, login, await somebody(app));
  assert.equal(page.status, 200);
  assert.match(page.html, new RegExp(`action="${CALLBACK}"`));
  assert.match(page.html, /name="code"/);
});

test('P34: prompt, max_age, login_hint and ui_locales do what they say', async (t) => {
  const app = await startApp(t);
  const { visitor, client, person } = await signedIn(app);
  const open = (params: Record<string, string>) =>
    visitor.open(authorizationRequest(app, client.client_id, params).url);
  const stranger = createVisitor(app.url);
  const none = await stranger.open(authorizationRequest(app, client.client_id, { prompt: 'none' }).url);
  assert.equal(new URL(none.url).searchParams.get('error'), 'login_required');
  assert.equal(new URL(none.url).searchParams.get('iss'), app.url);
  assert.ok(codeOf(await open({ prompt: 'none' })));
  assert.match((await open({ prompt: 'login' })).url, /\/login\//);
  assert.match((await open({ max_age: '0' })).url, /\/login\//);
  assert.ok(codeOf(await open({ max_age: '600' })));
  assert.match((await open({ prompt: 'create' })).url, /\/register\//);
  const hinted = await stranger.open(
    authorizationRequest(app, client.client_id, { login_hint: person.email, ui_locales: 'fr' }).url,
  );
  assert.match(hinted.html, /<html lang="fr"/);
  assert.ok(hinted.html.includes(person.email));
});

test('P01 P20: an unknown client or redirect gets a page, never a redirect', async (t) => {
  const app = await startApp(t);
  const client = await app.client({ redirect_uris: ['https://app.example.com/cb'] });
  const visitor = createVisitor(app.url);
  const variants = [
    'https://app.example.com/cb/',
    'https://app.example.com/CB',
    'https://app.example.com/cb?x=1',
    'https://app.example.com/cb#x',
    'https://app.example.com/cb/../cb',
    'https://app.example.com/%63b',
    'https://app.example.com:8443/cb',
    'https://evil@app.example.com/cb',
    'https://app.example.com.evil.example/cb',
    'http://app.example.com/cb',
    'https://app.example.com/..;/cb',
    'https://APP.example.com/cb',
    'https:\\\\app.example.com/cb',
    'javascript:alert(1)',
    '//evil.example',
    '',
  ];
  for (const redirect_uri of variants) {
    const page = await visitor.open(authorizationRequest(app, client.client_id, { redirect_uri }).url, {
      headers: { accept: 'text/html' },
    });
    assert.equal(page.status, 400, redirect_uri);
    assert.ok(page.url.startsWith(app.url), page.url);
  }
  const unknown = await visitor.open(authorizationRequest(app, 'nobody').url, { headers: { accept: 'text/html' } });
  assert.equal(unknown.status, 400);
});

test('private_key_jwt signs a client in, and an assertion works once', async (t) => {
  const app = await startApp(t);
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await jose.exportJWK(publicKey)), alg: 'ES256', use: 'sig', kid: 'k' };
  const client = await app.client({
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [jwk] },
  });
  assert.equal(client.client_secret, undefined);
  const assertion = await new jose.SignJWT({ jti: randomBytes(12).toString('hex') })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(client.client_id)
    .setSubject(client.client_id)
    .setAudience(app.url)
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(privateKey);
  const params = {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => token(app, { client_id: client.client_id }, params)),
  );
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
});
