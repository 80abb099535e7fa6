/** Where a person is signed in, and how that ends: pages, protocol, and the tokens that die with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSessionStore } from '../src/sessions/session-store.ts';
import { startApp, type TestApp } from './support/app.ts';
import {
  authorizationRequest,
  codeOf,
  FIREFOX,
  PASSWORD,
  type SignedIn,
  signedIn,
  signIn,
  somebody,
  token,
} from './support/flow.ts';
import { createVisitor, formsOf } from './support/visitor.ts';

const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36';

async function lives(app: TestApp, { tokens, client }: SignedIn): Promise<{ access: boolean; refresh: boolean }> {
  const userinfo = await fetch(`${app.url}/oauth2/userinfo`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  const refresh = await token(app, client, {
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh_token as string,
  });
  return { access: userinfo.status === 200, refresh: refresh.status === 200 };
}

const DEAD = { access: false, refresh: false };
const ALIVE = { access: true, refresh: true };

test('the sessions page names device, time and applications, and which session is this one', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app, { client: await app.client({ client_name: 'Garden planner' }) });
  await signedIn(app, { person: here.person, visitor: createVisitor(app.url, { 'user-agent': CHROME }) });
  const page = await here.visitor.open('/account/sessions');
  assert.equal(page.status, 200, page.html.slice(0, 600));
  assert.match(page.html, /Firefox on Linux/);
  assert.match(page.html, /Chrome on Windows/);
  assert.match(page.html, /Garden planner/);
});

test('ending another session kills its tokens and leaves this browser signed in', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app);
  const there = await signedIn(app, { person: here.person, visitor: createVisitor(app.url, { 'user-agent': CHROME }) });
  const [other] = (await app.services.sessions.list(here.person.id)).filter(
    ({ kind, device }) => kind === 'browser' && device.browser !== 'Firefox',
  );
  const page = await here.visitor.open('/account/sessions');
  const ended = await here.visitor.submit(page, {}, `/sessions/${other?.id}/end$`);
  assert.match(ended.url, /notice=session-ended/);
  assert.deepEqual(await lives(app, there), DEAD);
  assert.deepEqual(await lives(app, here), ALIVE);
  assert.match((await there.visitor.open('/account')).url, /\/login\//);
});

test('an application can be ended alone and the browser stays signed in', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app);
  const entry = (await app.services.sessions.list(here.person.id)).find(({ kind }) => kind === 'app');
  assert.ok(entry);
  const page = await here.visitor.open('/account/sessions');
  await here.visitor.submit(page, {}, `/sessions/${entry.id}/end$`);
  assert.deepEqual(await lives(app, here), DEAD);
  assert.equal((await here.visitor.open('/account')).status, 200);
  const again = await signedIn(app, { person: here.person, client: here.client, visitor: here.visitor });
  assert.deepEqual(await lives(app, again), ALIVE);
});

test('ending all others keeps this browser and its applications', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app);
  const others = [];
  for (let n = 0; n < 3; n += 1)
    others.push(await signedIn(app, { person: here.person, visitor: createVisitor(app.url) }));
  const stranger = await signedIn(app);
  await here.visitor.submit(await here.visitor.open('/account/sessions'), {}, 'end-others$');
  for (const other of others) assert.deepEqual(await lives(app, other), DEAD);
  assert.deepEqual(await lives(app, here), ALIVE);
  assert.deepEqual(await lives(app, stranger), ALIVE);
});

test("somebody else's session can not be ended", async (t) => {
  const app = await startApp(t);
  const [mine, theirs] = [await signedIn(app), await signedIn(app)];
  const [target] = await app.services.sessions.list(theirs.person.id);
  const csrf = formsOf(await mine.visitor.open('/account/sessions')).find(({ action }) => /end$/.test(action))?.fields[
    'csrf'
  ];
  const answer = await mine.visitor.request(`/account/sessions/${target?.id}/end`, {
    method: 'POST',
    body: new URLSearchParams({ csrf: csrf as string }),
  });
  assert.equal(answer.status, 404);
  assert.deepEqual(await lives(app, theirs), ALIVE);
});

test('S04: signing out on the account page ends the session on the server', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app);
  const stolen = new Map(here.visitor.cookies);
  await here.visitor.submit(await here.visitor.open('/account'), {}, 'sign-out$');
  for (const [key, value] of stolen) here.visitor.cookies.set(key, value);
  assert.match((await here.visitor.open('/account')).url, /\/login\//);
  assert.deepEqual(await lives(app, here), DEAD);
});

test('P30: signing out by the protocol asks first without a hint, and goes only to a registered address', async (t) => {
  const app = await startApp(t);
  const client = await app.client({ post_logout_redirect_uris: ['http://127.0.0.1:9/bye'] });
  const here = await signedIn(app, { client });
  const asked = await here.visitor.open('/oauth2/logout');
  assert.match(asked.html, /name="logout"/);
  assert.deepEqual(await lives(app, here), ALIVE, 'a GET ends nothing');
  const wrong = await here.visitor.open(
    `/oauth2/logout?id_token_hint=${here.tokens.id_token}&post_logout_redirect_uri=http://127.0.0.1:9/evil`,
  );
  assert.equal(wrong.status, 400);
  const params = new URLSearchParams({
    id_token_hint: here.tokens.id_token as string,
    post_logout_redirect_uri: 'http://127.0.0.1:9/bye',
    state: 's',
  });
  const stranger = await signedIn(app, { client });
  const foreign = await stranger.visitor.open(`/oauth2/logout?${params}`);
  assert.match(foreign.html, /name="logout"/, "a token of somebody else's session decides nothing");
  const out = await here.visitor.open(`/oauth2/logout?${params}`);
  assert.equal(out.url, 'http://127.0.0.1:9/bye?state=s', 'who shows a token of this session is not asked again');
  assert.deepEqual(await lives(app, here), DEAD);
  assert.deepEqual(await lives(app, stranger), ALIVE);
  assert.match((await here.visitor.open('/account')).url, /\/login\//);
  const asks = await stranger.visitor.open('/oauth2/logout');
  await stranger.visitor.submit(asks, { logout: 'yes' }, 'confirm$');
  assert.deepEqual(await lives(app, stranger), DEAD);
});

test('changing the password ends every other session and tells the person', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app);
  const there = await signedIn(app, { person: here.person, visitor: createVisitor(app.url) });
  const page = await here.visitor.open('/account/security/password');
  const wrong = await here.visitor.submit(
    page,
    { current_password: 'wrong', new_password: 'another long sentence' },
    '/account/security/password$',
  );
  assert.equal(wrong.status, 400);
  const done = await here.visitor.submit(
    page,
    { current_password: PASSWORD, new_password: 'another long sentence' },
    '/account/security/password$',
  );
  assert.match(done.url, /notice=password-changed/);
  assert.deepEqual(await lives(app, there), DEAD);
  assert.deepEqual(await lives(app, here), ALIVE);
  assert.ok(await app.mail(here.person.email));
});

test('P29: removing an application takes back its consent and its tokens', async (t) => {
  const app = await startApp(t);
  const client = await app.client({ first_party: false, client_name: 'Photo Prints', scope: 'openid email profile' });
  const person = await somebody(app);
  const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
  const request = authorizationRequest(app, client.client_id);
  const login = await visitor.open(request.url);
  const consent = await visitor.submit(login, { email: person.email, password: person.password }, '^/login/[^/]+$');
  const code = codeOf(await visitor.submit(consent, { decision: 'allow' }, '/consent/')) as string;
  const tokens = (
    await token(app, client, {
      grant_type: 'authorization_code',
      code,
      redirect_uri: 'http://127.0.0.1:9/callback',
      code_verifier: request.verifier,
    })
  ).body;
  const page = await visitor.open('/account/apps');
  assert.match(page.html, /Photo Prints/);
  await visitor.submit(page, {}, '/remove$');
  assert.deepEqual(await lives(app, { visitor, person, client, tokens }), DEAD);
  assert.match((await visitor.open(authorizationRequest(app, client.client_id).url)).url, /\/consent\//);
});

test('S04, S07: disabling an account ends everything at once, and enabling it brings nothing back', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app);
  const { accounts } = app.services;
  await accounts.disable(here.person.id);
  assert.deepEqual(await lives(app, here), DEAD);
  const page = await here.visitor.open('/account');
  assert.match(page.url, /\/login\//);
  const refused = await signIn(here.visitor, page, here.person);
  assert.deepEqual([refused.status, /\/login\//.test(refused.url)], [400, true], 'nor is there a way in');
  await accounts.enable(here.person.id);
  assert.deepEqual(await lives(app, here), DEAD, 'what was ended stays ended');
  const stolen = await signedIn(app, { person: here.person });
  const cookies = new Map(stolen.visitor.cookies);
  await accounts.disable(here.person.id);
  await accounts.enable(here.person.id);
  const thief = createVisitor(app.url);
  for (const [key, value] of cookies) thief.cookies.set(key, value);
  assert.match((await thief.open('/account')).url, /\/login\//);
});

test('S07: what is taken back acts on requests that hold a living session: the account is asked, not the session', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app);
  // As if the sessions of the account had been missed.
  await app.services.db.run("UPDATE accounts SET status = 'disabled' WHERE id = ?", here.person.id);
  assert.deepEqual(await lives(app, here), DEAD);
  assert.match((await here.visitor.open('/account')).url, /\/login\//);
  const asked = await here.visitor.open(authorizationRequest(app, here.client.client_id).url);
  assert.equal(codeOf(asked), null);
});

test('rights that outlive their reason: a session that was ended while a request was under way does not come back', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app);
  const client = await app.client();
  const requests = Array.from({ length: 20 }, () => here.visitor.open(authorizationRequest(app, client.client_id).url));
  const id = [...here.visitor.cookies].find(([name]) => name.startsWith('latchkey_session '))?.[1].value as string;
  const rows = createSessionStore({ ...app.services, strong: app.services.settings.factors.strong });
  const loaded = await rows.find(id);
  assert.equal(loaded?.accountId, here.person.id);
  await app.services.sessions.revokeAll(here.person.id);
  await Promise.allSettled(requests);
  // A request that loaded the session before its end and writes it back after it.
  await rows.upsert(id, { ...loaded }, Date.now() + 60_000, { ip: null, userAgent: null });
  assert.deepEqual(await app.services.sessions.list(here.person.id), []);
  assert.match((await here.visitor.open('/account')).url, /\/login\//);
});

test('a stolen database opens nothing: no token, code, cookie or secret stands in it', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app);
  const cookies = [...here.visitor.cookies.values()].map(({ value }) => value);
  const secrets = [
    here.tokens.access_token,
    here.tokens.refresh_token as string,
    here.client.client_secret,
    PASSWORD,
    ...cookies,
  ];
  const tables = await app.services.db.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'");
  for (const { name } of tables) {
    const dump = JSON.stringify(await app.services.db.all(`SELECT * FROM ${name}`));
    for (const secret of secrets.filter((each) => each.length > 16))
      assert.ok(!dump.includes(secret), `${name} holds a secret`);
  }
});

test('a restart signs nobody out', async (t) => {
  const app = await startApp(t);
  const here = await signedIn(app);
  await app.stop();
  const again = await startApp(t, { dataDir: app.dataDir, port: Number(new URL(app.url).port) });
  assert.deepEqual(await lives(again, here), ALIVE);
  assert.equal((await here.visitor.open('/account')).status, 200);
});
