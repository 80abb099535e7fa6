/** What an authorization request may ask for, what it makes a person do again, and requests that were pushed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import type { TestApp } from './support/app.ts';
import {
  authorizationRequest,
  CALLBACK,
  codeOf,
  type Request,
  type SignedIn,
  signedIn,
  signIn,
  token,
} from './support/flow.ts';
import { sharedApp } from './support/one-app.ts';
import { createVisitor, type Page } from './support/visitor.ts';

const theApp = sharedApp();
const errorOf = (page: Page) => {
  const { search, hash } = new URL(page.url);
  return new URLSearchParams(search || hash.slice(1)).get('error');
};

/** The claims of the ID token that the code of this page buys. */
async function claimsOf(app: TestApp, client: SignedIn['client'], page: Page, { verifier }: Request) {
  const code = codeOf(page);
  assert.ok(code, page.url);
  const grant = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
  return decodeJwt(String((await token(app, client, grant)).body.id_token));
}

test('P17: there is no password grant and no implicit or hybrid flow, whatever the client asks for', async () => {
  const app = await theApp();
  const { client, visitor } = await signedIn(app);
  for (const grant of ['password', 'implicit', 'urn:ietf:params:oauth:grant-type:jwt-bearer']) {
    const { status, body } = await token(app, client, { grant_type: grant, username: 'a', password: 'b' });
    assert.deepEqual([status, body.error], [400, 'unsupported_grant_type'], grant);
    await assert.rejects(app.client({ grant_types: ['authorization_code', grant] }), grant);
  }
  for (const type of ['token', 'id_token', 'id_token token', 'code id_token', 'code token', 'none']) {
    const page = await visitor.open(
      authorizationRequest(app, client.client_id, { response_type: type, nonce: 'n' }).url,
    );
    assert.equal(errorOf(page), 'unsupported_response_type', type);
    await assert.rejects(app.client({ response_types: [type] }), type);
  }
  const answer = await fetch(`${app.url}/.well-known/openid-configuration`);
  const discovery = (await answer.json()) as Record<string, string[]>;
  assert.deepEqual(discovery['response_types_supported'], ['code']);
  assert.ok(!discovery['grant_types_supported']?.some((grant) => /password|implicit/.test(grant)));
});

test('P34: the nonce comes back byte for byte, and none where none was sent', async () => {
  const app = await theApp();
  const { client, visitor } = await signedIn(app);
  for (const nonce of ['n', `${'0123456789abcdef'.repeat(16)}`, ' a+b%20c&d="é"/\\🔑 ', '00']) {
    const request = authorizationRequest(app, client.client_id, { nonce });
    const claims = await claimsOf(app, client, await visitor.open(request.url), request);
    assert.equal(claims['nonce'], nonce);
  }
  const without = authorizationRequest(app, client.client_id);
  assert.ok(!('nonce' in (await claimsOf(app, client, await visitor.open(without.url), without))));
});

test('P34: a sign-in older than max_age is asked for again, and auth_time is that of the new one', async (t) => {
  const app = await theApp();
  const { client, visitor, person } = await signedIn(app);
  const begun = Date.now();
  const seconds = (moment: number) => Math.floor(moment / 1000);
  t.mock.timers.enable({ apis: ['Date'], now: begun + 590_000 });
  const early = authorizationRequest(app, client.client_id, { max_age: '600' });
  const first = await claimsOf(app, client, await visitor.open(early.url), early);
  assert.ok(Math.abs(Number(first['auth_time']) - seconds(begun)) <= 30, 'the old sign-in');

  t.mock.timers.setTime(begun + 700_000);
  const silent = authorizationRequest(app, client.client_id, { max_age: '600', prompt: 'none' });
  assert.equal(errorOf(await visitor.open(silent.url)), 'login_required');
  const late = authorizationRequest(app, client.client_id, { max_age: '600' });
  const asked = await visitor.open(late.url);
  assert.match(asked.url, /\/login\//);
  assert.match((await visitor.open(late.url)).url, /\/login\//, 'asking twice helps nobody');
  const again = await claimsOf(app, client, await signIn(visitor, asked, person), late);
  assert.ok(Number(again['auth_time']) >= seconds(begun + 700_000), 'the new sign-in');
});

test('P34: prompt=login asks whoever is signed in, and going on without an answer is asked again', async (t) => {
  const app = await theApp();
  const { client, visitor, person } = await signedIn(app);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 60_000 });
  const request = authorizationRequest(app, client.client_id, { prompt: 'login' });
  const asked = await visitor.open(request.url);
  assert.match(asked.url, /\/login\//);
  // The address at which the core goes on, before anybody has answered.
  const uid = new URL(asked.url).pathname.split('/').at(-1);
  const skipped = await visitor.open(`/oauth2/authorize/${uid}`);
  assert.equal(codeOf(skipped), null, skipped.url);
  const wrong = await signIn(visitor, skipped, { email: person.email, password: 'not the right one' });
  assert.deepEqual([codeOf(wrong), wrong.status], [null, 400]);
  const claims = await claimsOf(app, client, await signIn(visitor, skipped, person), request);
  assert.ok(Number(claims['auth_time']) >= Math.floor(Date.now() / 1000) - 1);
});

/** A request that was pushed by the client; the address at which a browser uses it. */
async function pushed(app: TestApp, client: SignedIn['client'], params: Record<string, string> = {}) {
  const { searchParams } = new URL(authorizationRequest(app, client.client_id, params).url);
  const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
  const headers = { authorization: `Basic ${basic}` };
  const answer = await fetch(`${app.url}/oauth2/par`, { method: 'POST', headers, body: searchParams });
  assert.equal(answer.status, 201);
  const { request_uri: uri, expires_in: lifetime } = (await answer.json()) as {
    request_uri: string;
    expires_in: number;
  };
  const use = (id = client.client_id) =>
    `${app.url}/oauth2/authorize?${new URLSearchParams({ client_id: id, request_uri: uri })}`;
  return { use, lifetime };
}

test('P32: a pushed request works once, under prompt=none as well', async () => {
  const app = await theApp();
  const { client, visitor } = await signedIn(app);
  for (const params of [{}, { prompt: 'none' }] as Record<string, string>[]) {
    const { use } = await pushed(app, client, params);
    assert.ok(codeOf(await visitor.open(use())));
    const again = await visitor.open(use());
    assert.deepEqual([codeOf(again), again.status], [null, 400], again.url);
  }
  // Nor by who began with it twice and ends both sign-ins.
  const { person } = await signedIn(app);
  const { use } = await pushed(app, client);
  const stranger = createVisitor(app.url);
  const [one, two] = [await stranger.open(use()), await createVisitor(app.url).open(use())];
  assert.ok(codeOf(await signIn(stranger, one, person)));
  assert.equal(codeOf(two), null);
  assert.equal(codeOf(await stranger.open(use())), null);
});

test('P32: a pushed request is of no use to another client', async () => {
  const app = await theApp();
  const { client, visitor } = await signedIn(app);
  const other = await app.client();
  const { use } = await pushed(app, client);
  const stolen = await visitor.open(use(other.client_id), { headers: { accept: 'text/html' } });
  assert.deepEqual([codeOf(stolen), stolen.status, new URL(stolen.url).origin], [null, 400, app.url]);
  assert.ok(codeOf(await visitor.open(use())), 'it is still good for its own');
});

test('P32: a pushed request is dead after its minute', async (t) => {
  const app = await theApp();
  const { client, visitor } = await signedIn(app);
  const { use, lifetime } = await pushed(app, client);
  const early = await pushed(app, client);
  assert.ok(lifetime > 0 && lifetime < 600, String(lifetime));
  const begun = Date.now();
  t.mock.timers.enable({ apis: ['Date'], now: begun + 50_000 });
  assert.ok(codeOf(await visitor.open(early.use())));
  t.mock.timers.setTime(begun + 61_500);
  const late = await visitor.open(use());
  assert.deepEqual([codeOf(late), late.status], [null, 400], late.url);
});
