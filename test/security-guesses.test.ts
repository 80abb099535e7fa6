/** Guessing at secrets of applications and codes of devices, and doors around the limits by source. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, codeOf, PASSWORD, signedIn, signIn, somebody, token } from './support/flow.ts';
import { createVisitor } from './support/visitor.ts';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
/** A proxy on this machine, so that a test can come from many addresses. */
const PROXIED = { LATCHKEY_TRUST_PROXY: '127.0.0.1' };
const from = (address: string) => ({ 'x-forwarded-for': address });

async function service(app: TestApp) {
  return app.client({ grant_types: ['client_credentials'], response_types: [], redirect_uris: [], scope: 'profile' });
}

async function deviceCode(app: TestApp) {
  const device = await app.client({
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: [],
    response_types: [],
    grant_types: [DEVICE_GRANT],
  });
  const started = await fetch(`${app.url}/oauth2/device_authorization`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: device.client_id, scope: 'openid' }),
  });
  return ((await started.json()) as { user_code: string }).user_code;
}

test('P26: after 20 wrong secrets in a minute nothing more is checked for this client and address, in parallel too', async (t) => {
  const app = await startApp(t, { env: PROXIED });
  const [client, other] = [await service(app), await service(app)];
  const grant = { grant_type: 'client_credentials' };
  const guess = () => token(app, { ...client, client_secret: 'wrong' }, grant, from('192.0.2.1'));
  const answers = await Promise.all(Array.from({ length: 200 }, guess));
  assert.equal(answers.filter(({ status }) => status === 401).length, 20);
  const refused = answers.find(({ status }) => status === 429);
  assert.ok(Number(refused?.headers.get('retry-after')) > 0);
  assert.equal(typeof refused?.body.error, 'string');
  assert.equal((await token(app, client, grant, from('192.0.2.1'))).status, 429, 'a right guess is not told either');
  assert.equal((await token(app, client, grant, from('192.0.2.2'))).status, 200, 'the right secret from elsewhere');
  assert.equal((await token(app, other, grant, from('192.0.2.1'))).status, 200, 'another client of that address');
  const introspection = await fetch(`${app.url}/oauth2/introspect`, {
    method: 'POST',
    headers: from('192.0.2.1'),
    body: new URLSearchParams({ client_id: client.client_id, client_secret: 'wrong', token: 'x' }),
  });
  assert.equal(introspection.status, 429, 'every door that takes the secret counts together');
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 121_000 });
  assert.equal((await token(app, client, grant, from('192.0.2.1'))).status, 200);
});

test('P26: right secrets are never counted', async (t) => {
  const app = await startApp(t);
  const client = await service(app);
  for (let n = 0; n < 30; n += 1)
    assert.equal((await token(app, client, { grant_type: 'client_credentials' })).status, 200);
});

test('P26: wrong secrets that another instance saw count here', async (t) => {
  const app = await startApp(t);
  const client = await service(app);
  const grant = { grant_type: 'client_credentials' };
  for (let n = 0; n < 20; n += 1) await token(app, { ...client, client_secret: 'wrong' }, grant);
  await app.stop();
  const again = await startApp(t, { dataDir: app.dataDir, port: Number(new URL(app.url).port) });
  await token(again, { ...client, client_secret: 'wrong' }, grant);
  assert.equal((await token(again, client, grant)).status, 429);
});

test('P40: after five wrong user codes in one session the right one is not taken any more', async (t) => {
  const app = await startApp(t, { env: PROXIED });
  const userCode = await deviceCode(app);
  const visitor = createVisitor(app.url, from('192.0.2.1'));
  for (let n = 0; n < 5; n += 1) {
    const answer = await visitor.submit(await visitor.open('/device'), { user_code: `BCDF-GHJ${'KLMNP'[n]}` });
    assert.equal(answer.status, 400);
  }
  const refused = await visitor.submit(await visitor.open('/device'), { user_code: userCode });
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  const owner = createVisitor(app.url, from('192.0.2.1'));
  const taken = await owner.submit(await owner.open('/device'), { user_code: userCode });
  assert.equal(taken.status, 200, 'somebody else behind the same address');
});

test('P40: new sessions do not help: an address has 20 wrong user codes, in parallel too', async (t) => {
  const app = await startApp(t, { env: PROXIED });
  const userCode = await deviceCode(app);
  async function attempt(address: string, code: string) {
    const visitor = createVisitor(app.url, from(address));
    return visitor.submit(await visitor.open('/device'), { user_code: code });
  }
  const answers = await Promise.all(Array.from({ length: 40 }, () => attempt('192.0.2.1', 'BCDF-GHJK')));
  assert.equal(answers.filter(({ status }) => status === 400).length, 20);
  assert.equal((await attempt('192.0.2.1', userCode)).status, 429);
  assert.equal((await attempt('192.0.2.2', userCode)).status, 200);
});

test('P40: right user codes are not counted', async (t) => {
  const app = await startApp(t);
  const visitor = createVisitor(app.url);
  for (let n = 0; n < 8; n += 1) {
    const confirm = await visitor.submit(await visitor.open('/device'), { user_code: await deviceCode(app) });
    assert.equal(confirm.status, 200);
    assert.match(confirm.html, /name="confirm"|value="yes"/);
  }
});

test('D7: no spelling of a path gets around the limit of guesses', async (t) => {
  const app = await startApp(t, { env: { LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '3' } });
  const client = await app.client();
  const visitor = createVisitor(app.url);
  const page = await visitor.open(authorizationRequest(app, client.client_id).url);
  const { action, body } = visitor.fill(page, { email: 'a@example.com', password: 'wrong wrong' }, '^/login/[^/]+$');
  const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body };
  const { pathname } = new URL(action);
  for (let n = 0; n < 3; n += 1) assert.equal((await visitor.request(pathname, form)).status, 400);
  for (const path of [
    pathname,
    pathname.replace('/login', '/LOGIN'),
    pathname.replace('/login', '/Login'),
    `${pathname}/`,
  ])
    assert.ok([404, 429].includes((await visitor.request(path, form)).status), path);
  for (const path of [
    '/account/security/password/',
    '/Account/security/password',
    '/api/v1/account/password/',
    '/api/V1/account/password',
  ])
    assert.ok([404, 429].includes((await visitor.request(path, form)).status), path);
});

test('D7: requests that begin a sign-in are limited by source like pages', async (t: TestContext) => {
  const app = await startApp(t, { env: { ...PROXIED, LATCHKEY_LIMIT_PAGES_PER_MINUTE: '10' } });
  const client = await app.client();
  const { url } = authorizationRequest(app, client.client_id);
  const begin = (address: string) => fetch(url, { redirect: 'manual', headers: from(address) });
  const answers = await Promise.all(Array.from({ length: 15 }, () => begin('192.0.2.1')));
  assert.equal(answers.filter(({ status }) => status === 303).length, 10);
  const refused = answers.find(({ status }) => status === 429);
  assert.ok(Number(refused?.headers.get('retry-after')) > 0);
  assert.match(String(refused?.headers.get('content-type')), /html/);
  assert.equal((await begin('192.0.2.2')).status, 303);
});

test('P34: auth_time is when the password was proved, not when the consent was given', async (t) => {
  const app = await startApp(t);
  const client = await app.client({ first_party: false });
  const person = await somebody(app);
  const visitor = createVisitor(app.url);
  const request = authorizationRequest(app, client.client_id, { max_age: '3600' });
  const page = await visitor.open(request.url);
  const provedAt = Math.floor(Date.now() / 1000);
  const consent = await signIn(visitor, page, { email: person.email, password: PASSWORD });
  assert.match(consent.url, /\/consent\//);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 600_000 });
  const back = await visitor.submit(consent, { decision: 'allow' }, '/consent/');
  const answer = await token(app, client, {
    grant_type: 'authorization_code',
    code: String(codeOf(back)),
    redirect_uri: 'http://127.0.0.1:9/callback',
    code_verifier: request.verifier,
  });
  const claims = JSON.parse(Buffer.from(String(String(answer.body.id_token).split('.')[1]), 'base64url').toString());
  assert.ok(Math.abs(claims.auth_time - provedAt) <= 5, `${claims.auth_time - provedAt} seconds after the proof`);
});

test('S03: the consent of one person is not the consent of the next who signs in within the same request', async (t) => {
  const app = await startApp(t);
  const client = await app.client({ first_party: false });
  const [first, second] = [await somebody(app), await somebody(app)];
  const { visitor } = await signedIn(app, { person: first });
  const request = authorizationRequest(app, client.client_id, { prompt: 'consent' });
  const consent = await visitor.open(request.url);
  const switched = await visitor.submit(consent, { decision: 'switch' }, '/consent/');
  // The session of the first person ends by a form that a browser sends by itself.
  const ending = await signIn(visitor, switched, second);
  const asked = await visitor.submit(ending, {}, '/oauth2/logout/confirm');
  assert.match(asked.url, /\/consent\//, 'the second person is asked');
  assert.ok(asked.html.includes(second.email));
  assert.equal(await app.services.consents.find(second.id, client.client_id), undefined);
});
