/** Flows out of order, codes where they do not belong, and what lies in the database. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { startApp, type TestApp } from './support/app.ts';
import { enrolled, oath } from './support/factors.ts';
import { authorizationRequest, CALLBACK, FIREFOX, PASSWORD, signedIn, somebody } from './support/flow.ts';
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

/** A browser whose proxy speaks TLS; every cookie that it was given. */
function behindTls(port: number) {
  const jar = new Map<string, string>();
  const given: string[] = [];
  async function ask(target: string, fields?: Record<string, string>): Promise<{ url: string; html: string }> {
    const { pathname, search } = new URL(target, 'https://localhost');
    const headers = {
      ...{ host: 'localhost', 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.1', 'user-agent': FIREFOX },
      ...(fields ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
    };
    const [answer, html] = await new Promise<[IncomingMessage, string]>((resolve, reject) => {
      const options = { port, host: '127.0.0.1', path: pathname + search, method: fields ? 'POST' : 'GET', headers };
      request(options, async (res) => {
        let text = '';
        for await (const chunk of res) text += chunk;
        resolve([res, text]);
      })
        .on('error', reject)
        .end(fields && new URLSearchParams(fields).toString());
    });
    for (const line of answer.headers['set-cookie'] ?? []) {
      given.push(line);
      const [pair = ''] = line.split(';');
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    const { location } = answer.headers;
    return location ? ask(location) : { url: pathname, html };
  }
  const submit = (page: { url: string; html: string }, values: Record<string, string>, which: RegExp) => {
    const form = formsOf(page).find(({ action }) => which.test(action));
    assert.ok(form, `${page.url}: ${page.html.slice(0, 500)}`);
    return ask(new URL(form.action, `https://localhost${page.url}`).href, { ...form.fields, ...values });
  };
  return { ask, submit, given };
}

test('S02: with an https issuer every cookie of a whole sign-in is Secure, HttpOnly, SameSite and named for it', async (t) => {
  const port = await freePort();
  const app = await startApp(t, {
    port,
    env: { LATCHKEY_ISSUER: 'https://localhost', LATCHKEY_TRUST_PROXY: '127.0.0.1' },
  });
  const person = await enrolled(app);
  const { ask, submit, given } = behindTls(port);
  const second = await submit(await ask('/account'), { email: person.email, password: person.password }, /^\/login/);
  const inside = await submit(second, { code: oath(person.secret), remember: 'yes' }, /\/totp$/);
  assert.equal(inside.url, '/account', inside.html.slice(0, 500));
  const other = await ask('/oauth2/logout');
  await submit(other, { logout: 'yes' }, /logout\/confirm/);
  const names = new Set(given.map((line) => line.split(/[=;]/)[0]?.replace(/_flow_.*/, '_flow')));
  for (const name of ['__Host-latchkey_session', '__Host-latchkey_flow', '__Host-latchkey_device'])
    assert.ok(names.has(name), `${name} in ${[...names]}`);
  assert.ok(
    [...names].some((name) => /remember/.test(String(name))),
    String([...names]),
  );
  for (const line of given) {
    assert.match(line, /; secure/i, line);
    assert.match(line, /; httponly/i, line);
    assert.match(line, /; samesite=(lax|strict)/i, line);
    assert.doesNotMatch(line, /; domain=/i, line);
    assert.match(line, /^(__Host-[^;]*; path=\/;|__Secure-[^;]*; path=\/.)/, line);
  }
  const session = given.findLast((line) => /^__Host-latchkey_session=[^;]{20}/.test(line));
  assert.ok(/^[^=]+=[\w-]{43,}/.test(String(session)), 'opaque');
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

test('S07: no password, code or token stands in an address of ours, and no form would put one there', async (t) => {
  const app = await startApp(t);
  const addresses: string[] = [];
  const pages: string[] = [];
  const { fetch } = globalThis;
  t.mock.method(globalThis, 'fetch', async (...args: Parameters<typeof fetch>) => {
    const answer = await fetch(...args);
    const html = /html/.test(answer.headers.get('content-type') ?? '') ? await answer.clone().text() : '';
    if (html) pages.push(html);
    const links = [...html.matchAll(/\b(?:href|action|src)="([^"]*)"/g)].map(([, address]) => address as string);
    for (const address of [String(args[0]), answer.headers.get('location') ?? '', ...links])
      if (!address.startsWith(CALLBACK)) addresses.push(address);
    return answer;
  });
  const visitor = createVisitor(app.url);
  const secrets: string[] = [PASSWORD, 'another long sentence'];
  const { reset, code } = await resetCode(app, visitor, (await somebody(app)).email);
  await visitor.submit(reset, { code: '000000', password: 'another long sentence' }, '^/reset/[^/]+$');
  await visitor.submit(reset, { code, password: 'another long sentence' }, '^/reset/[^/]+$');
  const { page } = await begin(app, visitor);
  const form = await visitor.open(page.url.replace('/login/', '/register/'));
  const sent = await visitor.submit(form, { name: 'N', email: 'n@example.com', password: PASSWORD }, '^/register/');
  const proof = codeIn((await app.mail('n@example.com')).text);
  await visitor.submit(sent, { code: proof }, '^/verify/[^/]+$');
  const user = await signedIn(app);
  const { tokens, client } = user;
  for (const path of [
    '',
    '/sessions',
    '/apps',
    '/security',
    '/security/password',
    '/email',
    '/events',
    '/data',
    '/delete',
  ])
    await user.visitor.open(`/account${path}`);
  secrets.push(code, proof, client.client_secret, tokens.access_token);
  secrets.push(String(tokens.refresh_token), String(tokens.id_token));
  for (const jar of [visitor, user.visitor])
    for (const [key, { value }] of jar.cookies) if (/session /.test(key)) secrets.push(value);
  for (const html of pages)
    for (const { fields } of formsOf({ html })) if (fields['csrf']) secrets.push(fields['csrf']);
  assert.ok(addresses.length > 200 && secrets.length > 20);
  for (const address of addresses)
    for (const secret of secrets)
      assert.ok(!decodeURIComponent(address.replaceAll('+', ' ')).includes(secret), `${address} has ${secret}`);
  const forms = pages.flatMap((html) => html.match(/<form\b[^>]*>[\s\S]*?<\/form>/g) ?? []);
  const secretive = forms.filter((each) => /name="(csrf|xsrf|code|[a-z_]*password)"/.test(each));
  assert.ok(secretive.length > 20);
  for (const each of secretive) assert.match(each, /^<form\b[^>]*\bmethod="post"/, each.slice(0, 200));
});
