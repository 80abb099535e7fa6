/** A remembered browser skips the account's own second step, and nothing else (SECURITY A16, scheb GHSA-9phw-7h96-q3rv). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { apiUser } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { type Enrolled, enrolled, oath, secondStep, wrongCode } from './support/factors.ts';
import { CALLBACK, codeOf, token } from './support/flow.ts';
import type { Page, Visitor } from './support/visitor.ts';

const MFA = 'urn:latchkey:mfa';
const NEXT_PASSWORD = 'herons wait in the reeds';

/** The next code of the person's app: each works once. */
function codes({ secret }: Enrolled): () => string {
  let steps = -1;
  return () => {
    steps += 1;
    return oath(secret, steps);
  };
}

/** Signs in anew, as another application asks to. */
const again = (app: TestApp, person: Pick<Enrolled, 'email' | 'password'>, visitor: Visitor, params = {}) =>
  secondStep(app, person, { visitor, params: { prompt: 'login', ...params } });

async function remembered(app: TestApp, person: Enrolled, next: () => string): Promise<Visitor> {
  const { visitor, page } = await secondStep(app, person);
  assert.match(page.html, /Don’t ask in this browser for 30 days/);
  assert.ok(codeOf(await visitor.submit(page, { code: next(), remember: 'yes' }, '/totp$')));
  return visitor;
}

const asks = ({ url }: Page) => /\/totp$/.test(url);

async function amrOf(app: TestApp, { page, client, verifier }: Awaited<ReturnType<typeof again>>): Promise<unknown> {
  const code = codeOf(page) as string;
  const grant = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
  return decodeJwt((await token(app, client, grant)).body.id_token as string)['amr'];
}

test('it skips the second step where its owner wished that, and tells what happened', async (t) => {
  const app = await startApp(t);
  const person = await enrolled(app);
  const next = codes(person);
  const plain = await secondStep(app, person);
  assert.ok(codeOf(await plain.visitor.submit(plain.page, { code: next() }, '/totp$')));
  assert.ok(asks((await again(app, person, plain.visitor)).page), 'nobody wished it here');

  const visitor = await remembered(app, person, next);
  assert.deepEqual(await amrOf(app, await again(app, person, visitor)), ['pwd']);
  assert.ok(asks((await again(app, person, plain.visitor)).page), 'another browser is asked');
  assert.ok(asks((await again(app, await enrolled(app), visitor)).page), 'another person is asked');

  const demanded = await again(app, person, visitor, { acr_values: MFA });
  assert.ok(asks(demanded.page), 'an application that asks for two factors gets two');
  const fresh = await visitor.open('/account/email');
  assert.equal(new URL(fresh.url).pathname.startsWith('/login/'), true, 'a change asks for a fresh proof');
  const proof = await visitor.submit(fresh, { email: person.email, password: person.password }, '^/login/[^/]+$');
  assert.ok(asks(proof), 'with the second step');
});

test('people and applications see it and end it; somebody else does not', async (t) => {
  const app = await startApp(t);
  const person = await enrolled(app);
  const next = codes(person);
  const visitor = await remembered(app, person, next);
  const page = await visitor.open('/account/security/devices');
  assert.match(page.html, /Firefox on Linux[\s\S]*This browser/);
  const [device] = await app.services.remembered.list(person.id);
  const other = await apiUser(app);
  const path = `/api/v1/account/devices/${device?.id}`;
  assert.equal((await other.api('DELETE /api/v1/account/devices/unknown')).status, 404);
  const foreign = await fetch(app.url + path, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${other.tokens.access_token}` },
  });
  assert.equal(foreign.status, 404, 'of somebody else');
  const gone = await visitor.submit(page, {}, '/forget$');
  assert.match(gone.html, /will be asked again/);
  assert.ok(asks((await again(app, person, visitor)).page));
  const { items } = await app.services.audit.list({ account: person.id }, 50);
  for (const type of ['device.remembered', 'device.forgotten'])
    assert.ok(
      items.some((item) => item.type === type),
      type,
    );
});

test('a new password, a change of factors and its time end it', async (t) => {
  const app = await startApp(t);
  const { accounts, factors } = app.services;
  const by = { via: 'system', ip: null, userAgent: null, requestId: null, device: 'a test' } as const;
  const ends: Array<[string, (person: Enrolled) => Promise<unknown>]> = [
    [
      'password',
      ({ id, password }) => accounts.changePassword(id, { current: password, next: NEXT_PASSWORD, origin: by }),
    ],
    ['factor', ({ id, factorId }) => factors.remove(id, factorId, { by })],
  ];
  for (const [what, end] of ends) {
    const person = await enrolled(app);
    await remembered(app, person, codes(person));
    assert.equal((await app.services.remembered.list(person.id)).length, 1);
    await end(person);
    assert.deepEqual(await app.services.remembered.list(person.id), [], what);
  }
  const person = await enrolled(app);
  const visitor = await remembered(app, person, codes(person));
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 30 * 86_400_000 + 1000 });
  assert.ok(asks((await again(app, person, visitor)).page));
});

test('0 switches it off', async (t) => {
  const app = await startApp(t, { env: { LATCHKEY_REMEMBERED_DEVICE_TTL: '0' } });
  const person = await enrolled(app);
  const { visitor, page } = await secondStep(app, person);
  assert.doesNotMatch(page.html, /name="remember"/);
  assert.ok(codeOf(await visitor.submit(page, { code: oath(person.secret), remember: 'yes' }, '/totp$')));
  assert.ok(asks((await again(app, person, visitor)).page));
  assert.equal((await visitor.request('/account/security/devices')).status, 404);
});

test('A16: a mailed code leads to the second step, too; A15: a failed one is told by mail, once an hour', async (t) => {
  const app = await startApp(t, { env: { LATCHKEY_EMAIL_SIGN_IN: 'allowed' } });
  const person = await enrolled(app);
  const half = await secondStep(app, person);
  for (let tries = 0; tries < 3; tries += 1)
    await half.visitor.submit(half.page, { code: wrongCode(person.secret) }, '/totp$');
  const told = () => app.mails().filter(({ to, subject }) => to === person.email && /half‑way/.test(subject));
  await app.mail(person.email, ({ subject }) => /half‑way/.test(subject));
  assert.equal(told().length, 1);

  const { visitor, page } = await secondStep(app, { ...person, password: 'not the right one' });
  const { action, body } = visitor.fill(page, { email: person.email, password: '' }, '^/login/[^/]+$');
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const waiting = await visitor.open(`${action}/email`, { method: 'POST', headers, body });
  const mail = await app.mail(person.email, ({ subject }) => /sign-in code/.test(subject));
  const code = /^ {4}(\d{6})$/m.exec(mail.text)?.[1] as string;
  const asked = await visitor.submit(waiting, { code }, '/email/code$');
  assert.ok(asks(asked), asked.url);
  assert.match((await visitor.open('/account')).url, /\/login\//, 'no session yet');
  assert.ok(codeOf(await visitor.submit(asked, { code: oath(person.secret) }, '/totp$')));
});
