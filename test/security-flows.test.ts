/** Flows out of order, codes where they do not belong, and what lies in the database. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, PASSWORD, signedIn, somebody } from './support/flow.ts';
import { freePort } from './support/ports.ts';
import { createVisitor, formsOf, type Visitor } from './support/visitor.ts';

async function begin(app: TestApp, visitor: Visitor) {
  const client = await app.client();
  const page = await visitor.open(authorizationRequest(app, client.client_id).url);
  return { page, uid: new URL(page.url).pathname.split('/').at(-1) as string };
}

const codeIn = (text: string) => String(/\b(\d{6}|\d{3} \d{3})\b/.exec(text)?.[1]).replace(' ', '');

async function resetCode(app: TestApp, visitor: Visitor, email: string) {
  const { page, uid } = await begin(app, visitor);
  const forgot = await visitor.open(new URL(`/forgot/${uid}`, page.url).href);
  const reset = await visitor.submit(forgot, { email }, '^/forgot/');
  return { uid, reset, code: codeIn((await app.mail(email)).text) };
}

test('A10: an account that was deleted while a code was under way is no fault of ours and no account', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const visitor = createVisitor(app.url);
  const { reset, code } = await resetCode(app, visitor, person.email);
  await app.services.deletion.remove(person.id);
  const answer = await visitor.submit(reset, { code, password: 'another long sentence' }, '^/reset/[^/]+$');
  assert.equal(answer.status, 410);
  assert.equal(await app.services.accounts.byId(person.id), undefined);
});

test('A12: a code works in its own flow and for its own purpose only', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const visitor = createVisitor(app.url);
  const { uid, code } = await resetCode(app, visitor, person.email);
  const stranger = createVisitor(app.url);
  const other = await begin(app, stranger);
  const csrf = formsOf(other.page)[0]?.fields['csrf'] as string;
  const post = (who: Visitor, path: string, fields: Record<string, string>) =>
    who.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields).toString(),
    });
  for (const path of [`/verify/${other.uid}`, `/reset/${other.uid}`]) {
    const fields = { csrf, code, ...(path.startsWith('/reset') ? { password: 'another long sentence' } : {}) };
    assert.ok((await post(stranger, path, fields)).status >= 400, path);
    assert.ok((await post(stranger, path.replace(other.uid, uid), fields)).status >= 400, 'the flow of somebody else');
  }
  const own = formsOf(await visitor.open(`/reset/${uid}`))[0]?.fields['csrf'] as string;
  assert.ok((await post(visitor, `/verify/${uid}`, { csrf: own, code })).status >= 400, 'a reset signs nobody in');
  const mine = await post(visitor, `/reset/${uid}`, { csrf: own, code, password: 'another long sentence' });
  assert.equal(mine.status, 303);
  assert.equal((await post(visitor, `/reset/${uid}`, { csrf: own, code, password: PASSWORD })).status, 400);
});

test('P39: tokens of a switched-off client are not active for the resource server either', async (t) => {
  const config = `resources:
  - identifier: https://api.example.com
    name: API
    access_token_format: opaque
    scopes: [{ name: read }]
`;
  const app = await startApp(t, { config });
  const server = await app.client({
    client_id: 'https://api.example.com',
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
  });
  const { client, tokens } = await signedIn(app, {
    scope: 'openid read',
    params: { resource: 'https://api.example.com' },
  });
  const ask = async () => {
    const answer = await fetch(`${app.url}/oauth2/introspect`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${encodeURIComponent(server.client_id)}:${server.client_secret}`).toString('base64')}`,
      },
      body: new URLSearchParams({ token: tokens.access_token }),
    });
    return { status: answer.status, body: (await answer.json()) as { active?: boolean } };
  };
  assert.equal((await ask()).body.active, true);
  await app.services.clients.update(client.client_id, {}, false);
  assert.deepEqual(await ask(), { status: 200, body: { active: false } });
});

test('S02: with an https issuer every cookie is Secure, HttpOnly, SameSite and named for it', async (t) => {
  const port = await freePort();
  await startApp(t, { port, env: { LATCHKEY_ISSUER: 'https://localhost', LATCHKEY_TRUST_PROXY: '127.0.0.1' } });
  const query = new URLSearchParams({
    client_id: 'latchkey-account',
    response_type: 'code',
    scope: 'openid',
    redirect_uri: 'https://localhost/account/callback',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
  });
  const cookies = await new Promise<string[]>((resolve, reject) => {
    const headers = { host: 'localhost', 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.1' };
    get({ port, host: '127.0.0.1', path: `/oauth2/authorize?${query}`, headers }, (res) => {
      resolve(res.headers['set-cookie'] ?? []);
    }).on('error', reject);
  });
  assert.ok(cookies.length >= 2);
  for (const cookie of cookies) {
    assert.match(cookie, /; secure/i, cookie);
    assert.match(cookie, /; httponly/i, cookie);
    assert.match(cookie, /; samesite=lax/i, cookie);
    assert.match(cookie, /^(__Host-[^;]*; path=\/;|__Secure-)/, cookie);
  }
});

test('T7, X11: no secret that a person or an application holds lies in the database files', async (t) => {
  const app = await startApp(t);
  const { tokens, client, visitor } = await signedIn(app, { scope: 'openid email' });
  const { code } = await resetCode(app, createVisitor(app.url), (await somebody(app)).email);
  const invited = await app.services.invitations.invite({
    email: 'new@example.com',
    name: null,
    locale: 'en',
    inviter: null,
  });
  const session = [...visitor.cookies].find(([name]) => name.startsWith('latchkey_session '))?.[1].value as string;
  await app.stop();
  const files = readdirSync(app.dataDir).filter((name) => name.startsWith('latchkey.db'));
  const stored = Buffer.concat(files.map((name) => readFileSync(join(app.dataDir, name)))).toString('latin1');
  const secrets = {
    ...tokens,
    secret: client.client_secret,
    session,
    link: invited.link.split('/').at(-1)?.split('.')[1],
  };
  for (const name of ['access_token', 'refresh_token', 'id_token', 'secret', 'session', 'link'] as const) {
    assert.ok(String(secrets[name]).length > 20, name);
    assert.ok(!stored.includes(String(secrets[name])), name);
  }
  assert.ok(!stored.includes(PASSWORD) && !stored.includes(`"code":"${code}"`));
});
