/** Passkeys by HTTP with an authenticator in software: added, used, renamed, removed, as first and as second step. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { createApi } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { createAuthenticator } from './support/authenticator.ts';
import { authorizationRequest, CALLBACK, codeOf, signedIn, signIn, somebody, token } from './support/flow.ts';
import { addPasskey, answer, openFresh, optionsFor, saveCodes, signInPage, withPasskey } from './support/passkeys.ts';
import type { Page, Visitor } from './support/visitor.ts';

const record = async (app: TestApp, type: string) => (await app.services.audit.list({ type } as never, 50)).items;

/** The claims of the ID token at the end of a sign-in. */
async function claimsAfter(
  app: TestApp,
  client: { client_id: string; client_secret: string },
  verifier: string,
  page: Page,
) {
  const code = codeOf(page);
  assert.ok(code, `no code at ${page.url}: ${page.html.slice(0, 1500)}`);
  const params = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
  return decodeJwt((await token(app, client, params)).body.id_token as string);
}

test('a passkey is added, signs in by itself, and counts as two factors', async (t) => {
  const app = await startApp(t);
  const { person, client, authenticator, visitor } = await withPasskey(app);
  const list = await visitor.open('/account/security/passkey');
  assert.match(list.html, /Firefox on Linux/, 'one whose maker is unknown is named after the browser');
  assert.match(list.html, /On one device/);
  const mail = await app.mail(person.email, ({ subject }) => /second step was added/.test(subject));
  assert.match(mail.text, /Firefox on Linux/);

  const { visitor: other, page } = await signInPage(app, client.client_id, { acr_values: 'phrh' });
  const request = authorizationRequest(app, client.client_id);
  const form = await other.open(request.url);
  assert.match(page.html, /autocomplete="username webauthn"/);
  const options = await optionsFor(other, form);
  assert.equal(options.allowCredentials, undefined, 'nothing is told of who has passkeys');
  assert.equal(options.userVerification, 'required');
  const end = await answer(other, form, authenticator.get(options));
  const claims = await claimsAfter(app, client, request.verifier, end);
  assert.equal(claims.sub, person.id);
  assert.deepEqual(claims['amr'], ['pop', 'hwk', 'user', 'mfa']);
  assert.equal(claims['acr'], 'phrh');
  const [proved] = await record(app, 'factor.proved');
  assert.deepEqual([proved?.account_id, proved?.details['kind']], [person.id, 'passkey']);
  assert.equal((await record(app, 'sign_in.succeeded'))[0]?.details['method'], 'passkey');
  assert.match((await visitor.open('/account/security/passkey')).html, /Last used/);
});

test('after a password the passkey is asked for, whatever the way; a synced one says so', async (t) => {
  const app = await startApp(t);
  const { person, client, authenticator } = await withPasskey(app, { synced: true });
  const request = authorizationRequest(app, client.client_id, { acr_values: 'urn:latchkey:mfa' });
  const { visitor } = await signInPage(app, client.client_id);
  const second = await signIn(visitor, await visitor.open(request.url), person);
  assert.match(second.url, /\/passkey$/);
  const options = await optionsFor(visitor, second);
  assert.deepEqual(
    options.allowCredentials?.map(({ id }) => id),
    [authenticator.id],
  );
  const end = await answer(visitor, second, authenticator.get(options, { userHandle: null }));
  const claims = await claimsAfter(app, client, request.verifier, end);
  assert.deepEqual(claims['amr'], ['pwd', 'pop', 'swk', 'user', 'mfa']);
  assert.equal(claims['acr'], 'urn:latchkey:mfa');
});

test('five wrong answers end the second step', async (t) => {
  const app = await startApp(t);
  const { person, client, authenticator } = await withPasskey(app);
  const { visitor, page } = await signInPage(app, client.client_id);
  let second = await signIn(visitor, page, person);
  for (let n = 0; n < 5; n += 1) {
    second = await answer(
      visitor,
      second,
      authenticator.get(await optionsFor(visitor, second), { origin: 'https://evil.example' }),
    );
    assert.equal(second.status, n < 4 ? 400 : 410, `try ${n}`);
    if (n === 3) assert.match(second.html, /That passkey wasn’t accepted/);
  }
  assert.equal((await record(app, 'factor.failed')).length, 5);
});

test('a passkey is renamed and removed; what ends with it, and what never does', async (t) => {
  const app = await startApp(t);
  const { person, client, authenticator, visitor } = await withPasskey(app);
  const elsewhere = await signInPage(app, client.client_id);
  await answer(
    elsewhere.visitor,
    elsewhere.page,
    authenticator.get(await optionsFor(elsewhere.visitor, elsewhere.page)),
  );
  const list = await visitor.open('/account/security/passkey');
  const renamed = await visitor.submit(list, { name: '  My “laptop” ' }, '/rename$');
  assert.match(renamed.html, /My “laptop”/);
  const tooLong = await visitor.submit(renamed, { name: 'x'.repeat(61) }, '/rename$');
  assert.equal(tooLong.status, 400);
  const asked = await visitor.submit(await visitor.open('/account/security/passkey'), {}, '/remove$');
  assert.match(asked.url, /\/login\//, 'a session without the factor is no proof');
  const back = await answer(visitor, asked, authenticator.get(await optionsFor(visitor, asked)));
  const removed = await visitor.submit(back, {}, '/remove$');
  assert.match(removed.html, /It’s removed/);
  await app.mail(person.email, ({ subject }) => /second step was removed/.test(subject));
  assert.match((await visitor.open('/account')).url, /\/account$/, 'this session stays');
  assert.match((await elsewhere.visitor.open('/account')).url, /\/login\//, 'the others have ended');
  const { visitor: again, page } = await signInPage(app, client.client_id);
  const refused = await answer(again, page, authenticator.get(await optionsFor(again, page)));
  assert.equal(refused.status, 400);
  assert.match(refused.html, /That passkey wasn’t accepted/);
  assert.equal((await record(app, 'factor.renamed')).length, 1);
});

test('the first factor ends the other sessions, the second does not', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const old = await signedIn(app, { person });
  const { client, visitor, authenticator } = await withPasskey(app, { person });
  assert.match((await old.visitor.open('/account')).url, /\/login\//);
  const { visitor: other, page } = await signInPage(app, client.client_id);
  const second = createAuthenticator(app.url);
  await addPasskey(visitor, second, '', authenticator);
  await answer(other, page, second.get(await optionsFor(other, page)));
  await addPasskey(visitor, createAuthenticator(app.url), 'Third');
  assert.match((await other.open('/account')).url, /\/account$/);
  assert.match((await visitor.open('/account/security/passkey')).html, /Third/);
});

test('A17: adding and removing ask for a fresh proof, with the factor that is there', async (t) => {
  const app = await startApp(t);
  const { visitor, person, authenticator } = await withPasskey(app);
  const page = await openFresh(visitor, authenticator, '/account/security/passkey/new');
  const list = await visitor.open('/account/security/passkey');
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 11 * 60_000 });
  assert.match((await visitor.open('/account/security/passkey/new')).url, /\/login\//);
  await assert.rejects(optionsFor(visitor, page), /401|fresh/);
  const login = await visitor.submit(list, {}, '/remove$');
  assert.match(login.url, /\/login\//);
  assert.match((await signIn(visitor, login, person)).url, /\/passkey$/, 'a password alone is not enough');
  assert.equal((await app.services.passkeys.of(person.id)).length, 1);
});

test('who must have a second factor makes a passkey on the way in', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const person = await somebody(app);
  const request = authorizationRequest(app, client.client_id, { acr_values: 'phr' });
  const { visitor } = await signInPage(app, client.client_id);
  const protect = await signIn(visitor, await visitor.open(request.url), person);
  const page = await visitor.open(`${protect.url}/passkey`);
  const authenticator = createAuthenticator(app.url);
  const made = await answer(visitor, page, authenticator.create(await optionsFor(visitor, page)));
  const end = await saveCodes(visitor, made);
  const claims = await claimsAfter(app, client, request.verifier, end);
  assert.deepEqual(claims['amr'], ['pwd', 'pop', 'hwk', 'user', 'mfa']);

  // Never a way around the factor that is there.
  const thief = await signInPage(app, client.client_id, { acr_values: 'phr' });
  const asked = await signIn(thief.visitor, thief.page, person);
  assert.match(asked.url, /\/passkey$/);
  const flow = asked.url.replace(/\/passkey$/, '');
  for (const path of ['protect/passkey', 'offer']) {
    assert.match((await thief.visitor.open(`${flow}/${path}`)).url, /\/login\/[^/]+\/passkey$/, path);
  }
  const csrf = /name="csrf" value="([^"]+)"/.exec(asked.html)?.[1] as string;
  for (const path of ['protect/passkey/options', 'offer/passkey/options']) {
    const response = await thief.visitor.request(`${flow}/${path}`, {
      method: 'POST',
      headers: { 'x-csrf-token': csrf },
    });
    assert.equal(response.status, 410, path);
  }
});

test('a stale session is no proof for making a factor on the way to an application', async (t) => {
  const app = await startApp(t);
  const { visitor, client, person } = await signedIn(app);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 11 * 60_000 });
  const page = await visitor.open(authorizationRequest(app, client.client_id, { acr_values: 'phr' }).url);
  assert.match(page.url, /\/login\/[^/]+$/, 'the password first');
  assert.match((await signIn(visitor, page, person)).url, /\/protect$/);
});

async function offered(visitor: Visitor, page: Page, person: { email: string; password: string }): Promise<Page> {
  visitor.cookies.set('latchkey_passkeys /', { value: '1', path: '/' });
  return signIn(visitor, page, person);
}

test('after a password a passkey is offered once, where the browser can make one', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const person = await somebody(app);
  const plain = await signInPage(app, client.client_id);
  assert.ok(codeOf(await signIn(plain.visitor, plain.page, person)), 'without the script’s word nothing is offered');
  const { visitor, page } = await signInPage(app, client.client_id);
  const offer = await offered(visitor, page, person);
  assert.match(offer.url, /\/offer$/);
  assert.match(offer.html, /Next time without a password\?/);
  assert.ok(codeOf(await visitor.submit(offer, { decision: 'later' }, '/offer$')));
  const again = async () => {
    const next = await signInPage(app, client.client_id);
    return { ...next, end: await offered(next.visitor, next.page, person) };
  };
  assert.ok(codeOf((await again()).end), 'not at the next sign-in');
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 31 * 86_400_000 });
  const later = await again();
  assert.match(later.end.url, /\/offer$/);
  assert.ok(codeOf(await later.visitor.submit(later.end, { decision: 'never' }, '/offer$')));
  t.mock.timers.setTime(Date.now() + 400 * 86_400_000);
  assert.ok(codeOf((await again()).end));
});

test('who takes the offer goes on with both proofs', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const person = await somebody(app);
  const request = authorizationRequest(app, client.client_id);
  const { visitor } = await signInPage(app, client.client_id);
  const offer = await offered(visitor, await visitor.open(request.url), person);
  const authenticator = createAuthenticator(app.url);
  const made = await answer(visitor, offer, authenticator.create(await optionsFor(visitor, offer)));
  const end = await saveCodes(visitor, made);
  assert.deepEqual((await claimsAfter(app, client, request.verifier, end))['amr'], [
    'pwd',
    'pop',
    'hwk',
    'user',
    'mfa',
  ]);
  assert.equal((await app.services.passkeys.of(person.id)).length, 1);
});

test('an application adds a passkey through the account API', async (t) => {
  const app = await startApp(t);
  const user = await signedIn(app, { scope: 'openid account:write' });
  const api = createApi(app, user.tokens.access_token);
  const path = 'POST /api/v1/account/factors/passkeys';
  const { body: options } = await api(`${path}/options`);
  const authenticator = createAuthenticator(app.url);
  const response = authenticator.create(options);
  const stranger = createApi(app, (await signedIn(app, { scope: 'openid account:write' })).tokens.access_token);
  const refused = await stranger(path, { json: { response } });
  assert.equal(refused.body.errors[0].code, 'passkey_not_added', 'a challenge of somebody else');
  const { body: added } = await api(path, { json: { name: 'Phone', response } });
  assert.deepEqual([added.name, added.synced], ['Phone', false]);
  assert.equal((await app.services.passkeys.of(user.person.id))[0]?.id, added.id);
  const { status, body } = await api(`${path}/options`);
  assert.deepEqual([status, body.code], [401, 'fresh_proof_required'], 'from now on the factor is part of the proof');
});

test('related origins and the domain are settings, and the origins are published', async (t) => {
  const plain = await startApp(t);
  assert.equal((await fetch(`${plain.url}/.well-known/webauthn`)).status, 404);
  const app = await startApp(t, { env: { LATCHKEY_PASSKEY_ORIGINS: 'https://app.example.com' } });
  const published = await fetch(`${app.url}/.well-known/webauthn`);
  assert.deepEqual(await published.json(), { origins: [app.url, 'https://app.example.com'] });
  const { visitor } = await signedIn(app);
  const page = await visitor.open('/account/security/passkey/new');
  const authenticator = createAuthenticator('https://app.example.com');
  const made = await answer(visitor, page, authenticator.create(await optionsFor(visitor, page)));
  assert.equal(made.status, 200);
  const env = { LATCHKEY_PASSKEY_RP_ID: 'example.org' };
  await assert.rejects(startApp(t, { env }), /LATCHKEY_PASSKEY_RP_ID is example\.org, but the host/);
});
