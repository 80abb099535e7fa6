/** Authorization codes, redirects and what follows them: requirements P01 to P19. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { TestApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, PASSWORD, signedIn, signIn, somebody, token } from './support/flow.ts';
import { sharedApp } from './support/one-app.ts';
import { createVisitor, type Visitor } from './support/visitor.ts';

const theApp = sharedApp({
  config: `resources:
  - identifier: https://api.example.com
    name: API
    scopes: [{ name: read }]
`,
});
const NATIVE = { application_type: 'native', token_endpoint_auth_method: 'none' };
const ask = (app: TestApp, id: string, redirect_uri: string) =>
  fetch(authorizationRequest(app, id, { redirect_uri }).url, { redirect: 'manual', headers: { accept: 'text/html' } });

test('P01: thirty near misses of a registered redirect end on our own page', async () => {
  const app = await theApp();
  const { client_id } = await app.client({ redirect_uris: ['https://app.example.com/a/cb?x=1'] });
  assert.equal((await ask(app, client_id, 'https://app.example.com/a/cb?x=1')).status, 303);
  const near = [
    ...['https://app.example.com/a/cb', 'https://app.example.com/a/cb?x=1&y=2', 'https://app.example.com/a/cb?x=2'],
    ...['https://app.example.com/a/cb/?x=1', 'https://app.example.com/a/CB?x=1', 'https://APP.example.com/a/cb?x=1'],
    ...[
      'HTTPS://app.example.com/a/cb?x=1',
      'https://app.example.com:443/a/cb?x=1',
      'https://app.example.com:8443/a/cb?x=1',
    ],
    ...[
      'https://app.example.com/a/./cb?x=1',
      'https://app.example.com/a/../a/cb?x=1',
      'https://app.example.com/a/..;/a/cb?x=1',
    ],
    ...[
      'https://app.example.com/a/%63b?x=1',
      'https://app.example.com/a%2fcb?x=1',
      'https://app.example.com//a/cb?x=1',
    ],
    ...[
      'https://app.example.com/a/cb?x=1#',
      'https://app.example.com/a/cb?x=1#f',
      'https://app.example.com/a/cb?x=1%00',
    ],
    ...['https://evil@app.example.com/a/cb?x=1', 'https://app.example.com@evil.example/a/cb?x=1'],
    ...[
      'https://app.example.com.evil.example/a/cb?x=1',
      'https://app.example.com./a/cb?x=1',
      'https://app.example。com/a/cb?x=1',
    ],
    ...['https:\\\\app.example.com\\a\\cb?x=1', 'https:/app.example.com/a/cb?x=1', '//app.example.com/a/cb?x=1'],
    ...['http://app.example.com/a/cb?x=1', ' https://app.example.com/a/cb?x=1', 'https://app.example.com/a/cb?x=1 '],
    ...[
      'https://app.example.com/a/cb?x=1\t',
      'javascript://app.example.com/a/cb?x=1',
      'xn--https://app.example.com/a/cb?x=1',
    ],
  ];
  assert.ok(near.length >= 30);
  for (const uri of near) {
    const answer = await ask(app, client_id, uri);
    assert.deepEqual([answer.status, answer.headers.get('location')], [400, null], uri);
  }
});

test('P02: any port of 127.0.0.1 and [::1] is a native client’s, of localhost and for web clients only the registered', async () => {
  const app = await theApp();
  const redirect_uris = ['http://127.0.0.1/cb', 'http://[::1]/cb', 'http://localhost:4000/cb'];
  const { client_id } = await app.client({ ...NATIVE, redirect_uris });
  for (const uri of ['http://127.0.0.1:51004/cb', 'http://[::1]:61000/cb', 'http://localhost:4000/cb'])
    assert.equal((await ask(app, client_id, uri)).status, 303, uri);
  for (const uri of ['http://localhost:4001/cb', 'http://127.0.0.1:51004/other', 'http://127.0.0.2:51004/cb'])
    assert.equal((await ask(app, client_id, uri)).status, 400, uri);
  const web = await app.client({ redirect_uris: ['http://127.0.0.1/cb'] });
  assert.equal((await ask(app, web.client_id, 'http://127.0.0.1:51004/cb')).status, 400);
});

async function code(
  app: TestApp,
  visitor: Visitor,
  client: { client_id: string },
  params: Record<string, string> = {},
) {
  const request = authorizationRequest(app, client.client_id, params);
  return { ...request, code: codeOf(await visitor.open(request.url)) as string };
}

const redeem = (app: TestApp, client: { client_id: string }, given: string, code_verifier: string) =>
  token(app, client, { grant_type: 'authorization_code', code: given, redirect_uri: CALLBACK, code_verifier });

test('P08: a verifier has 43 to 128 characters of its alphabet, whatever its hash', async () => {
  const app = await theApp();
  const { visitor, client } = await signedIn(app);
  const use = async (verifier: string) => {
    const code_challenge = createHash('sha256').update(verifier).digest('base64url');
    const asked = await code(app, visitor, client, { code_challenge });
    return (await redeem(app, client, asked.code, verifier)).status;
  };
  for (const right of ['a'.repeat(43), '~._-'.repeat(32)]) assert.equal(await use(right), 200);
  for (const wrong of ['a', 'a'.repeat(42), 'a'.repeat(129), `${'a'.repeat(43)}+`, `${'a'.repeat(43)}é`])
    assert.equal(await use(wrong), 400, wrong);
});

test('P10: a code is dead 61 seconds later, and alive shortly before', async (t) => {
  const app = await theApp();
  const { visitor, client } = await signedIn(app);
  const [early, late] = [await code(app, visitor, client), await code(app, visitor, client)];
  const start = Date.now();
  t.mock.timers.enable({ apis: ['Date'], now: start + 55_000 });
  assert.equal((await redeem(app, client, early.code, early.verifier)).status, 200);
  t.mock.timers.setTime(start + 61_500);
  assert.equal((await redeem(app, client, late.code, late.verifier)).body.error, 'invalid_grant');
});

test('P15: a refresh asks for no more than the grant has, and the grant must still live', async () => {
  const app = await theApp();
  const who = await signedIn(app, { scope: 'openid email' });
  const refresh = (more: Record<string, string>) =>
    token(app, who.client, { grant_type: 'refresh_token', refresh_token: String(who.tokens.refresh_token), ...more });
  assert.equal((await refresh({ scope: 'openid email profile' })).body.error, 'invalid_scope');
  assert.equal((await refresh({ resource: 'https://api.example.com' })).body.error, 'invalid_target');
  assert.equal((await refresh({ scope: 'openid' })).status, 200);
  await app.services.sessions.removeApp(who.person.id, who.client.client_id);
  assert.equal((await refresh({})).body.error, 'invalid_grant');
});

test('P18: every answer of the authorization endpoint names its issuer', async () => {
  const app = await theApp();
  const { visitor, client } = await signedIn(app);
  const stranger = createVisitor(app.url);
  const person = await somebody(app);
  const third = await app.client({ first_party: false });
  const answers: string[] = [];
  for (const [who, params] of [
    [visitor, {}],
    [stranger, { prompt: 'none' }],
    [visitor, { response_type: 'token' }],
    [visitor, { scope: 'openid nonsense', prompt: 'none' }],
    [visitor, { max_age: 'x' }],
    [visitor, { request: 'a.b.c' }],
    [visitor, { code_challenge_method: 'plain' }],
    [visitor, { resource: 'https://nobody.example' }],
  ] as const)
    answers.push((await who.open(authorizationRequest(app, client.client_id, params as never).url)).url);
  const login = await stranger.open(authorizationRequest(app, third.client_id).url);
  answers.push((await stranger.submit(await signIn(stranger, login, person), { decision: 'deny' }, '/consent/')).url);
  const form = await visitor.open(authorizationRequest(app, client.client_id, { response_mode: 'form_post' }).url);
  assert.ok(form.html.includes(`name="iss" value="${app.url}"`));
  for (const url of answers) {
    assert.ok(url.startsWith(CALLBACK), url);
    const { search, hash } = new URL(url);
    assert.equal(new URLSearchParams(search || hash.slice(1)).get('iss'), app.url, url);
  }
});

test('P19: nothing but a 303 follows a post', async () => {
  const app = await theApp();
  const person = await somebody(app);
  const client = await app.client({ first_party: false });
  const seen: Array<[string, number]> = [];
  const visitor = createVisitor(app.url);
  /** Sends a form and follows by hand. */
  async function post(page: { url: string; html: string }, values: Record<string, string>, which: string) {
    const { action, body } = visitor.fill(page as never, values, which);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await visitor.request(action, { method: 'POST', headers, body });
    seen.push([new URL(action).pathname.split('/')[1] as string, answer.status]);
    const location = String(answer.headers.get('location'));
    return location.startsWith(CALLBACK) ? { url: location, html: '' } : visitor.open(location);
  }
  const login = await visitor.open(authorizationRequest(app, client.client_id).url);
  const forgot = await visitor.open(login.url.replace('/login/', '/forgot/'));
  await post(forgot, { email: person.email }, '^/forgot/');
  const consent = await post(login, { email: person.email, password: PASSWORD }, '^/login/[^/]+$');
  await post(consent as never, { decision: 'allow' }, '/consent/');
  await post(await visitor.open('/account'), { name: 'Ada' }, '^/account$');
  const security = await visitor.open('/account/security/password');
  await post(
    security,
    { current_password: PASSWORD, new_password: 'another long sentence' },
    '^/account/security/password$',
  );
  await post(await visitor.open('/oauth2/logout'), { logout: 'yes' }, '/oauth2/logout/confirm');
  const other = createVisitor(app.url);
  const register = await other.open(
    (await other.open(authorizationRequest(app, client.client_id).url)).url.replace('/login/', '/register/'),
  );
  const { action, body } = other.fill(
    register,
    { email: 'x@example.com', name: 'X', password: PASSWORD },
    '^/register/',
  );
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  seen.push(['register', (await other.request(action, { method: 'POST', headers, body })).status]);
  assert.deepEqual(
    seen.filter(([, status]) => status !== 303),
    [],
  );
  assert.ok(seen.length >= 7, String(seen));
});
