/** How strongly applications can ask people to sign in: acr_values, essential acr, max_age, and what tokens say of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { startApp } from './support/app.ts';
import { authorizationRequest, codeOf, FIREFOX, signedIn, somebody } from './support/flow.ts';
import { createVisitor } from './support/visitor.ts';

const MFA = 'urn:latchkey:mfa';
const essential = (...values: string[]) => JSON.stringify({ id_token: { acr: { essential: true, values } } });
const errorOf = (url: string) => new URL(url).searchParams.get('error');

test('a password sign-in says pwd in the ID token, in the access token and in the metadata', async (t) => {
  const app = await startApp(t);
  const metadata = (await (await fetch(`${app.url}/.well-known/openid-configuration`)).json()) as Record<
    string,
    string[]
  >;
  assert.deepEqual(metadata['acr_values_supported'], ['urn:latchkey:email', 'urn:latchkey:pwd', MFA, 'phr', 'phrh']);
  const before = Math.floor(Date.now() / 1000);
  const { tokens, client } = await signedIn(app, { params: { acr_values: 'urn:latchkey:pwd' } });
  const claims = decodeJwt(tokens.id_token as string);
  assert.equal(claims['acr'], 'urn:latchkey:pwd');
  assert.deepEqual(claims['amr'], ['pwd']);
  assert.ok(Number(claims['auth_time']) >= before);
  const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
  const introspected = await fetch(`${app.url}/oauth2/introspect`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ token: tokens.access_token }),
  });
  const facts = (await introspected.json()) as Record<string, unknown>;
  assert.equal(facts['acr'], 'urn:latchkey:pwd', 'RFC 9470 section 6.2');
  assert.equal(facts['auth_time'], claims['auth_time']);
});

test('P34: a session that is too weak is not enough, silently or not', async (t) => {
  const app = await startApp(t);
  const { visitor, client } = await signedIn(app);
  const silent = (params: Record<string, string>) =>
    visitor.open(authorizationRequest(app, client.client_id, { prompt: 'none', ...params }).url);
  assert.equal(errorOf((await silent({ acr_values: MFA })).url), 'unmet_authentication_requirements');
  assert.equal(errorOf((await silent({ claims: essential('phr') })).url), 'unmet_authentication_requirements');
  assert.ok(codeOf(await silent({ acr_values: 'urn:latchkey:pwd' })));
  assert.ok(codeOf(await silent({ acr_values: `${MFA} urn:latchkey:pwd` })), 'one of several is enough');
  assert.ok(
    codeOf(await silent({ acr_values: 'urn:example:unknown' })),
    'a voluntary value that nobody knows binds nothing',
  );
  const stranger = createVisitor(app.url, { 'user-agent': FIREFOX });
  const nobody = await stranger.open(
    authorizationRequest(app, client.client_id, { prompt: 'none', acr_values: MFA }).url,
  );
  assert.equal(errorOf(nobody.url), 'login_required');
});

test('an essential acr that nobody reaches is refused at once', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
  const page = await visitor.open(
    authorizationRequest(app, client.client_id, { claims: essential('urn:example:unknown') }).url,
  );
  assert.equal(errorOf(page.url), 'unmet_authentication_requirements');
});

test('who has no second factor is led to set one up, without the password again', async (t) => {
  const app = await startApp(t);
  const { visitor, client } = await signedIn(app);
  const page = await visitor.open(authorizationRequest(app, client.client_id, { acr_values: MFA }).url);
  assert.match(page.url, /\/login\/[^/]+\/protect$/);
  assert.match(page.html, /Protect your account/);
  const back = await visitor.submit(page, {}, '/cancel$');
  assert.equal(errorOf(back.url), 'access_denied');
});

test('a client and an operator can demand a second factor of everybody', async (t) => {
  const app = await startApp(t);
  const client = await app.client({ require_second_factor: true });
  const { visitor } = await signedIn(app);
  const page = await visitor.open(authorizationRequest(app, client.client_id, {}).url);
  assert.match(page.url, /\/protect$/, 'also with a session that another application was content with');

  const strict = await startApp(t, { env: { LATCHKEY_SECOND_FACTOR: 'everybody' } });
  const person = await somebody(strict);
  const other = createVisitor(strict.url, { 'user-agent': FIREFOX });
  const form = await other.open(authorizationRequest(strict, (await strict.client()).client_id, {}).url);
  const next = await other.submit(form, { email: person.email, password: person.password }, '^/login/[^/]+$');
  assert.match(next.url, /\/protect$/);
});

test('A17: a proof is fresh for ten minutes', async (t) => {
  const app = await startApp(t);
  const fresh = app.services.isFresh;
  const now = Math.floor(Date.now() / 1000);
  const { id: accountId } = await somebody(app);
  assert.equal(await fresh({ accountId, authTime: now - 601, amr: ['pwd'] }), false);
  assert.equal(await fresh({ accountId, authTime: now - 590, amr: ['pwd'] }), true);
});
