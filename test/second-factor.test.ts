/** A16: whoever has a second factor is asked for it, whichever way they come; whoever has to have one is led to it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { startApp, type TestApp } from './support/app.ts';
import { codesOn, enrol, enrolled, oath, oathBefore, secondStep, secretOn } from './support/factors.ts';
import { authorizationRequest, CALLBACK, codeOf, FIREFOX, signedIn, signIn, somebody, token } from './support/flow.ts';
import { createVisitor, type Page, type Visitor } from './support/visitor.ts';

const MFA = 'urn:latchkey:mfa';
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

let app: TestApp;
let strict: TestApp;
const ends: Array<() => Promise<void>> = [];
before(async () => {
  const context = { after: (end: () => Promise<void>) => ends.push(end) } as never;
  app = await startApp(context);
  strict = await startApp(context, { env: { LATCHKEY_SECOND_FACTOR: 'everybody' } });
});
after(async () => {
  for (const end of ends) await end();
});

const firefox = (at: TestApp) => createVisitor(at.url, { 'user-agent': FIREFOX });
const errorOf = (page: Page) => new URL(page.url).searchParams.get('error');
const mailedCode = async (at: TestApp, to: string, subject: RegExp) =>
  /\b[0-9]{6}\b/.exec((await at.mail(to, (mail) => subject.test(mail.subject))).text)?.[0] as string;

/** Nothing here is a session yet: neither for the account pages nor for another application. */
async function assertNobody(at: TestApp, visitor: Visitor): Promise<void> {
  assert.match((await visitor.open('/account')).url, /\/login\//);
  const { client_id } = await at.client();
  const silent = await visitor.open(authorizationRequest(at, client_id, { prompt: 'none' }).url);
  assert.equal(errorOf(silent), 'login_required');
}

test('A16: after a password, and no address of the flow leads past it', async () => {
  const person = await enrolled(app);
  const { visitor, page } = await secondStep(app, person);
  assert.match(page.url, /\/totp$/);
  const flow = page.url.replace(/\/totp$/, '');
  for (const way of ['', '/factor', '/protect', '/protect/totp', '/protect/recovery', '/recovery']) {
    const shown = await visitor.open(flow + way);
    assert.ok(new URL(shown.url).origin === app.url && secretOn(shown) === '' && codesOn(shown).length === 0, way);
  }
  const { body } = visitor.fill(page, {}, '/totp$');
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const csrf = new URLSearchParams({ csrf: new URLSearchParams(body).get('csrf') as string }).toString();
  for (const way of ['/protect/totp', '/protect/recovery', '/protect/recovery/done']) {
    const form = way === '/protect/totp' ? `${csrf}&code=${oath(person.secret)}` : csrf;
    const forced = await visitor.open(flow + way, { method: 'POST', headers, body: form });
    assert.equal(new URL(forced.url).origin, app.url, `${way} gave ${forced.url}`);
  }
  await assertNobody(app, visitor);
  assert.equal((await app.services.factors.of(person.id)).length, 1, 'nothing was added on the way');
});

test('A10: after a reset of the password', async () => {
  const person = await enrolled(app);
  const visitor = firefox(app);
  const login = await visitor.open('/account');
  const forgot = await visitor.open(login.url.replace('/login/', '/forgot/'));
  const reset = await visitor.submit(forgot, { email: person.email }, '/forgot/');
  const code = await mailedCode(app, person.email, /new password/);
  const password = 'four quiet herons waiting';
  const back = await visitor.submit(reset, { code, password }, '/reset/[^/]+$');
  const half = await signIn(visitor, back, { email: person.email, password });
  assert.match(half.url, /\/totp$/);
  await assertNobody(app, visitor);
  const done = await visitor.submit(half, { code: oath(person.secret) }, '/totp$');
  assert.equal(new URL(done.url).pathname, '/account');
});

test('in the device flow', async () => {
  const person = await enrolled(app);
  const client = await app.client({ grant_types: ['authorization_code', DEVICE_GRANT] });
  const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
  const asked = await fetch(`${app.url}/oauth2/device_authorization`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ scope: 'openid' }),
  });
  const { device_code, verification_uri_complete } = (await asked.json()) as Record<string, string>;
  const poll = () => token(app, client, { grant_type: DEVICE_GRANT, device_code: device_code as string });
  const visitor = firefox(app);
  let page = await visitor.open(verification_uri_complete as string);
  page = await visitor.submit(page, { confirm: 'yes' }, '/device');
  page = await signIn(visitor, page, person);
  assert.match(page.url, /\/totp$/);
  await assertNobody(app, visitor);
  await visitor.submit(page, { code: oath(person.secret) }, '/totp$');
  const { body } = await poll();
  assert.deepEqual(decodeJwt(body.id_token as string)['amr'], ['pwd', 'otp', 'mfa']);
});

test('a session of before ends with the set-up, here and silently', async () => {
  const person = await somebody(app);
  const { visitor, client } = await signedIn(app, { person });
  const silent = (params: Record<string, string> = {}) =>
    visitor.open(authorizationRequest(app, client.client_id, { prompt: 'none', ...params }).url);
  assert.ok(codeOf(await silent()));
  const { secret } = await enrol(app, person);
  assert.equal(errorOf(await silent()), 'login_required');
  assert.equal(errorOf(await silent({ acr_values: MFA })), 'login_required');
  const again = await signIn(visitor, await visitor.open(authorizationRequest(app, client.client_id).url), person);
  assert.match(again.url, /\/totp$/);
  assert.ok(codeOf(await visitor.submit(again, { code: oath(secret) }, '/totp$')));
  assert.ok(codeOf(await silent({ acr_values: MFA })), 'and now it is strong enough');
});

test('S03: a session that lacks the factor is asked for it alone, and gets a new id with it', async () => {
  const person = await somebody(app);
  const { visitor, client } = await signedIn(app, { person });
  const weak = visitor.cookieFor(`${app.url}/account`);
  const request = authorizationRequest(app, client.client_id, { acr_values: MFA });
  const protect = await visitor.open(request.url);
  const setUp = await visitor.open(`${protect.url}/totp`);
  const secret = secretOn(setUp);
  const before = await visitor.submit(setUp, { code: await oathBefore(secret), name: '' }, '/protect/totp$');
  assert.match(before.url, /\/protect\/recovery$/);
  assert.equal(codesOn(before).length, 0);
  const shown = await visitor.submit(before, {}, '/protect/recovery$');
  const codes = codesOn(shown);
  assert.equal(codes.length, 10);
  const file = await visitor.submit(shown, {}, '/file$');
  assert.deepEqual(file.html.trim().split('\n').slice(2), codes);
  const done = await visitor.submit(shown, {}, '/done$');
  const grant = { grant_type: 'authorization_code', code: codeOf(done) as string, redirect_uri: CALLBACK };
  const { body } = await token(app, client, { ...grant, code_verifier: request.verifier });
  const claims = decodeJwt(body.id_token as string);
  assert.deepEqual([claims['acr'], claims['amr']], [MFA, ['pwd', 'otp', 'mfa']]);
  assert.match((await visitor.open('/account')).url, /\/account$/, 'the session of before became this one');
  const replayed = await firefox(app).request('/account', { headers: { cookie: weak } });
  assert.match(String(replayed.headers.get('location')), /\/oauth2\/authorize/, 'the id of before is nobody');
});

test('where everybody has to have one: from the registration on, once', async () => {
  const visitor = firefox(strict);
  const client = await strict.client();
  const { url } = authorizationRequest(strict, client.client_id);
  const register = await visitor.open((await visitor.open(url)).url.replace('/login/', '/register/'));
  const person = { email: 'new@example.com', password: 'four quiet herons waiting' };
  const verify = await visitor.submit(register, { ...person, name: 'New' }, '/register/');
  const code = await mailedCode(strict, person.email, /code/);
  const protect = await visitor.submit(verify, { code }, '/verify/[^/]+$');
  assert.match(protect.url, /\/protect$/);
  await assertNobody(strict, visitor);
  const setUp = await visitor.open(`${protect.url}/totp`);
  const secret = secretOn(setUp);
  const saved = await visitor.submit(setUp, { code: await oathBefore(secret) }, '/protect/totp$');
  const shown = await visitor.submit(saved, {}, '/protect/recovery$');
  assert.ok(codeOf(await visitor.submit(shown, {}, '/done$')));

  const again = await secondStep(strict, person);
  assert.match(again.page.url, /\/totp$/);
  assert.ok(codeOf(await again.visitor.submit(again.page, { code: oath(secret) }, '/totp$')), 'no codes a second time');
});

test('factors are counted by kind and outcome', async () => {
  const text = await (await fetch(`${app.url}/metrics`)).text();
  assert.match(text, /latchkey_factor_tries_total\{kind="totp",outcome="ok"\} [1-9]/);
  assert.match(text, /latchkey_factor_changes_total\{kind="totp",change="added"\} [1-9]/);
});

test('S01: two factors stay proved for a day, the session for longer', async (t) => {
  const person = await enrolled(app);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const { visitor, page, client } = await secondStep(app, person);
  assert.ok(codeOf(await visitor.submit(page, { code: oath(person.secret) }, '/totp$')));
  const silent = (params: Record<string, string>) =>
    visitor.open(authorizationRequest(app, client.client_id, { prompt: 'none', ...params }).url);
  for (let hours = 0; hours < 24; hours += 1) {
    assert.ok(codeOf(await silent({ acr_values: MFA })), `after ${hours} hours`);
    t.mock.timers.setTime(Date.now() + 59 * 60_000);
  }
  t.mock.timers.setTime(Date.now() + 30 * 60_000);
  assert.equal(errorOf(await silent({ acr_values: MFA })), 'unmet_authentication_requirements');
  assert.ok(codeOf(await silent({})), 'what asks for nothing special goes on');
  t.mock.timers.setTime(Date.now() + 30 * 86_400_000);
  assert.equal(errorOf(await silent({})), 'login_required');
});

test('S01: a session that was not used for an hour is as weak as one with a single factor', async (t) => {
  const person = await enrolled(app);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const later = (minutes: number) => t.mock.timers.setTime(Date.now() + minutes * 60_000);
  const { visitor, page, client } = await secondStep(app, person);
  assert.ok(codeOf(await visitor.submit(page, { code: oath(person.secret) }, '/totp$')));
  const silent = (params: Record<string, string> = {}) =>
    visitor.open(authorizationRequest(app, client.client_id, { prompt: 'none', ...params }).url);
  later(40);
  assert.equal(new URL((await visitor.open('/account')).url).pathname, '/account', 'the account area is a use, too');
  later(40);
  assert.ok(codeOf(await silent({ acr_values: MFA })));
  later(61);
  assert.equal(errorOf(await silent({ acr_values: MFA })), 'unmet_authentication_requirements');
  assert.ok(codeOf(await silent()), 'what asks for nothing special goes on');
  later(1);
  assert.equal(
    errorOf(await silent({ acr_values: MFA })),
    'unmet_authentication_requirements',
    'a use does not mend it',
  );

  const again = await visitor.open(authorizationRequest(app, client.client_id, { acr_values: MFA }).url);
  const second = await signIn(visitor, again, person);
  assert.match(second.url, /\/totp$/, 'both factors are asked for');
  assert.ok(codeOf(await visitor.submit(second, { code: oath(person.secret) }, '/totp$')));
  assert.ok(codeOf(await silent({ acr_values: MFA })));
});

test('a factor is not asked for on top of a password that counts no more', async (t) => {
  const person = await somebody(app);
  const { visitor, client } = await signedIn(app, { person });
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 61 * 60_000 });
  const page = await visitor.open(authorizationRequest(app, client.client_id, { acr_values: MFA }).url);
  assert.match(page.html, /name="password"/);
  assert.match((await signIn(visitor, page, person)).url, /\/protect$/);
});
