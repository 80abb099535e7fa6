/** Tokens: what each kind opens, who may not be confused, what can't be forged. Requirements P16 to P33. */
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import * as jose from 'jose';
import { newIdentifier } from '../src/artifacts/identifier.ts';
import { apiUser, SCOPE } from './support/account-api.ts';
import type { TestApp } from './support/app.ts';
import { authorizationRequest, signedIn, somebody, token } from './support/flow.ts';
import { sharedApp } from './support/one-app.ts';
import { createVisitor } from './support/visitor.ts';

const RESOURCE = 'https://api.example.com';
const theApp = sharedApp({
  config: `resources:
  - identifier: ${RESOURCE}
    name: API
    scopes: [{ name: read }]
`,
});
const SERVICE = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };

test('P16: no kind of token opens what another is for; access tokens say at+jwt and their audience', async () => {
  const app = await theApp();
  const client = await app.client({
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
  });
  const user = await signedIn(app, { client, scope: SCOPE });
  const forApi = await signedIn(app, { client, scope: 'openid read', params: { resource: RESOURCE } });
  const own = await token(app, client, { grant_type: 'client_credentials' });
  const tokens = {
    access: user.tokens.access_token,
    id: String(user.tokens.id_token),
    refresh: String(user.tokens.refresh_token),
    resource: forApi.tokens.access_token,
    client: own.body.access_token,
  };
  const header = jose.decodeProtectedHeader(tokens.resource);
  assert.deepEqual([header.typ, jose.decodeJwt(tokens.resource).aud], ['at+jwt', RESOURCE]);
  assert.equal(jose.decodeJwt(tokens.id).aud, client.client_id);
  const get = (path: string) => async (value: string) =>
    (await fetch(app.url + path, { headers: { authorization: `Bearer ${value}` } })).status === 200;
  const doors: Record<string, [(value: string) => Promise<boolean>, (keyof typeof tokens)[]]> = {
    userinfo: [get('/oauth2/userinfo'), ['access']],
    api: [get('/api/v1/account'), ['access']],
    refresh: [
      async (value) => (await token(app, client, { grant_type: 'refresh_token', refresh_token: value })).status === 200,
      ['refresh'],
    ],
    code: [
      async (value) =>
        (await token(app, client, { grant_type: 'authorization_code', code: value, redirect_uri: 'x' })).status === 200,
      [],
    ],
    hint: [
      async (value) => {
        const query = new URLSearchParams({ id_token_hint: value, client_id: client.client_id });
        return (await fetch(`${app.url}/oauth2/logout?${query}`, { headers: { accept: 'text/html' } })).status === 200;
      },
      ['id'],
    ],
  };
  for (const [door, [opens, right]] of Object.entries(doors))
    for (const [kind, value] of Object.entries(tokens))
      assert.equal(await opens(value), right.includes(kind as never), `${kind} at ${door}`);
});

test('P24: the subject of a client’s own token is never a person’s', async () => {
  const app = await theApp();
  const person = await somebody(app);
  assert.match(person.id, /^usr_/);
  const { client_id, client_secret } = await app.client({ ...SERVICE, scope: 'read' });
  const answer = await token(
    app,
    { client_id, client_secret },
    { grant_type: 'client_credentials', resource: RESOURCE },
  );
  assert.equal(jose.decodeJwt(answer.body.access_token).sub, client_id);
  for (const id of [person.id, 'usr_', 'usr_x']) await assert.rejects(app.client({ ...SERVICE, client_id: id }), id);
  fc.assert(
    fc.property(fc.uuid(), () => {
      const made = newIdentifier();
      return !made.startsWith('usr_') && !client_id.startsWith('usr_');
    }),
  );
});

test('P25: of six assertions the one for the issuer, at its time, once, is taken', async () => {
  const app = await theApp();
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await jose.exportJWK(publicKey)), alg: 'ES256', use: 'sig', kid: 'k' };
  const { client_id } = await app.client({
    ...SERVICE,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [jwk] },
  });
  const now = Math.floor(Date.now() / 1000);
  const assertion = (claims: object) =>
    new jose.SignJWT({
      ...{ iss: client_id, sub: client_id, aud: app.url, jti: randomBytes(9).toString('hex'), iat: now, exp: now + 60 },
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .sign(privateKey);
  const use = async (client_assertion: string) => {
    const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    const params = { grant_type: 'client_credentials', client_assertion_type, client_assertion };
    return (await token(app, { client_id }, params)).status;
  };
  const good = await assertion({ iat: now + 8, nbf: now + 8 });
  assert.equal(await use(good), 200, 'a clock a little ahead');
  for (const [why, claims] of Object.entries({
    'for somebody else': { aud: 'https://other.example' },
    'for two': { aud: [app.url, 'https://other.example'] },
    'of the future': { iat: now + 90, nbf: now + 90, exp: now + 150 },
    'of the past': { iat: now - 200, exp: now - 100 },
    'of another': { iss: 'somebody', sub: 'somebody' },
  }))
    assert.ok((await use(await assertion(claims))) >= 400, why);
  assert.notEqual(await use(good), 200, 'twice');
});

test('P27: tokens, codes and cookies carry 256 random bits without a pattern', async () => {
  const app = await theApp();
  const user = await signedIn(app);
  const session = [...user.visitor.cookies].find(([name]) => name.startsWith('latchkey_session '))?.[1].value as string;
  for (const value of [user.tokens.access_token, String(user.tokens.refresh_token), user.client.client_secret])
    assert.ok(Buffer.from(value.slice(-43), 'base64url').length === 32, value);
  assert.ok(session.length >= 43, `a session of ${session.length} characters`);
  const samples = Array.from({ length: 10_000 }, () => newIdentifier().slice(12));
  assert.equal(new Set(samples).size, samples.length);
  const counts = new Array<number>(256).fill(0);
  for (const text of samples) for (const byte of Buffer.from(text, 'base64url')) counts[byte] = (counts[byte] ?? 0) + 1;
  const expected = (samples.length * 32) / 256;
  const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // 255 degrees of freedom: mean 255, standard deviation 22.6; this far out is one in a hundred million.
  assert.ok(chi > 140 && chi < 400, `chi-square ${chi}`);
});

test('P28: nobody registers a client by HTTP, and no script is a redirect', async () => {
  const app = await theApp();
  for (const path of ['/oauth2/register', '/reg', '/register', '/connect/register']) {
    const body = JSON.stringify({ redirect_uris: ['https://x.example/cb'] });
    const headers = { 'content-type': 'application/json' };
    const { status } = await fetch(app.url + path, { method: 'POST', headers, body });
    assert.ok([401, 404, 405, 415].includes(status), `${path}: ${status}`);
  }
  const discovery = await (await fetch(`${app.url}/.well-known/openid-configuration`)).json();
  assert.equal((discovery as Record<string, unknown>)['registration_endpoint'], undefined);
  for (const uri of ['javascript:alert(1)', 'data:text/html,x', 'vbscript:x', 'https://x.example/cb#f'])
    await assert.rejects(app.client({ redirect_uris: [uri] }), uri);
});

test('P03, P04: whoever registers or changes a client, its addresses are judged alike', async () => {
  const app = await theApp();
  const native = { application_type: 'native', token_endpoint_auth_method: 'none' };
  const refused = { code: 'invalid_request', message: /redirect_uris/ };
  for (const [metadata, uri] of [
    [native, 'myapp:/cb'],
    [native, 'http://rp.example/cb'],
    [{}, 'http://rp.example/cb'],
    [{}, 'https://*.rp.example/cb'],
    [{}, 'https://rp.example/a/../cb'],
    [{}, 'https://somebody@rp.example/cb'],
  ] as const) {
    await assert.rejects(app.client({ ...metadata, redirect_uris: [uri] }), refused, uri);
    const good = await app.client(metadata);
    const { clients } = app.services;
    await assert.rejects(clients.update(good.client_id, { redirect_uris: [uri] }), refused, uri);
    await assert.rejects(clients.update(good.client_id, { post_logout_redirect_uris: [uri] }), refused, uri);
    const file = [{ client_id: 'of-the-file', client_name: 'x', ...metadata, redirect_uris: [uri] }];
    await assert.rejects(clients.apply('config', file), refused, uri);
  }
  await app.client({ ...native, redirect_uris: ['com.example.app:/cb', 'http://127.0.0.1/cb'] });
});

/** Twelve ways to make an ID token of somebody else's. */
async function forgeries(app: TestApp, genuine: string): Promise<Record<string, string>> {
  const [head = '', body = '', signature = ''] = genuine.split('.');
  const { kid } = jose.decodeProtectedHeader(genuine);
  const claims = { ...jose.decodeJwt(genuine), sub: 'usr_admin' };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const { keys } = (await (await fetch(`${app.url}/.well-known/jwks.json`)).json()) as { keys: jose.JWK[] };
  const rsa = keys.find((key) => key.kid === kid) as jose.JWK;
  const hmac = (header: object, key: string) => {
    const signed = `${part(header)}.${part(claims)}`;
    return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
  };
  const foreign = await jose.generateKeyPair('RS256', { extractable: true });
  const jwk = await jose.exportJWK(foreign.publicKey);
  const signedBy = (header: object, key = foreign.privateKey) =>
    new jose.SignJWT(claims).setProtectedHeader({ alg: 'RS256', ...header }).sign(key);
  const weak = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const pem = await jose.exportSPKI((await jose.importJWK(rsa, 'RS256')) as jose.CryptoKey);
  return {
    none: `${part({ alg: 'none' })}.${part(claims)}.`,
    'None in capitals': `${part({ alg: 'NONE', kid })}.${part(claims)}.${signature}`,
    'no signature': `${head}.${body}.`,
    'another payload': `${head}.${part(claims)}.${signature}`,
    'public key as HMAC key, PEM': hmac({ alg: 'HS256', kid }, pem),
    'public key as HMAC key, JWK': hmac({ alg: 'HS256', kid }, JSON.stringify(rsa)),
    'empty HMAC key': hmac({ alg: 'HS256', kid }, ' '),
    'a foreign key under our name': await signedBy({ kid }),
    'a key that comes along': await signedBy({ jwk }),
    'a key from an address': await signedBy({ jku: 'https://evil.example/jwks', kid: 'x' }),
    'a path as a name': await signedBy({ kid: '../../dev/null' }),
    'another algorithm': await new jose.SignJWT(claims)
      .setProtectedHeader({ alg: 'ES256', kid: String(kid) })
      .sign(weak),
  };
}

test('P33: twelve forged tokens are refused, and nothing weak is offered', async () => {
  const app = await theApp();
  const user = await apiUser(app);
  const forged = await forgeries(app, String(user.tokens.id_token));
  assert.equal(Object.keys(forged).length, 12);
  const hint = (value: string) => {
    const query = new URLSearchParams({ id_token_hint: value, client_id: user.client.client_id });
    return fetch(`${app.url}/oauth2/logout?${query}`, { headers: { accept: 'text/html' } });
  };
  assert.equal((await hint(String(user.tokens.id_token))).status, 200);
  for (const [why, value] of Object.entries(forged)) {
    assert.equal((await hint(value)).status, 400, why);
    const api = await fetch(`${app.url}/api/v1/account`, { headers: { authorization: `Bearer ${value}` } });
    assert.equal(api.status, 401, why);
    const { url } = authorizationRequest(app, user.client.client_id, { id_token_hint: value, prompt: 'none' });
    assert.match((await createVisitor(app.url).open(url)).url, /error=/, why);
  }
  const discovery = (await (await fetch(`${app.url}/.well-known/openid-configuration`)).json()) as object;
  for (const [name, values] of Object.entries(discovery).filter(([name]) => /alg_values/.test(name)))
    assert.deepEqual(
      (values as string[]).filter((alg) => /^(none|HS|RS1|ES256K)/.test(alg)),
      [],
      name,
    );
  const { keys } = (await (await fetch(`${app.url}/.well-known/jwks.json`)).json()) as { keys: jose.JWK[] };
  for (const key of keys.filter(({ kty }) => kty === 'RSA'))
    assert.ok(Buffer.from(String(key.n), 'base64url').length >= 256, 'RSA of 2,048 bits');
  for (const key of keys) assert.ok(!('d' in key || 'k' in key));
});

test('tokens that change and still match: the exact text counts, not what it decodes to', async () => {
  const app = await theApp();
  const user = await apiUser(app);
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const opens = async (value: string) =>
    (await fetch(`${app.url}/oauth2/userinfo`, { headers: { authorization: `Bearer ${value}` } })).status;
  const { access_token } = user.tokens;
  assert.equal(await opens(access_token), 200);
  // 256 bits leave two bits of the last character without meaning.
  const last = ALPHABET.indexOf(access_token.at(-1) as string);
  for (const other of [1, 2, 3].map((bits) => ALPHABET[last ^ bits]))
    assert.equal(await opens(access_token.slice(0, -1) + other), 401);
  for (const value of [`${access_token}=`, access_token.slice(0, -1), `${access_token}A`, access_token.toUpperCase()])
    assert.equal(await opens(value), 401, value);
});
