/** Authenticator apps: set up, asked for, each code once, never more guesses than allowed (SECURITY A11, A16, D5). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { decodeJwt } from 'jose';
import decodeQR from 'qr/decode.js';
import type { EventType } from '../src/audit/events.ts';
import { startApp, type TestApp } from './support/app.ts';
import { codesOn, enrolled, inAccount, oath, secondStep, secretOn, wrongCode } from './support/factors.ts';
import { CALLBACK, codeOf, FIREFOX, signedIn, signIn, somebody, token } from './support/flow.ts';
import { createVisitor, type Page } from './support/visitor.ts';

let app: TestApp;
const log: string[] = [];
const ends: Array<() => Promise<void>> = [];
before(async () => {
  const context = { after: (end: () => Promise<void>) => ends.push(end) };
  // What one account gets is the subject of some tests below, not of all.
  app = await startApp(context as never, { onLog: (line) => log.push(line) });
});
after(async () => {
  for (const end of ends) await end();
});

const events = async (account: string, type: EventType) =>
  (await app.services.audit.list({ account }, 200)).items.filter((event) => event.type === type);

/** What a camera would read. */
function scanned({ html }: Page): string {
  const size = Number(/class="qr" viewBox="0 0 (\d+)/.exec(html)?.[1]);
  const dark = new Set([...html.matchAll(/M(\d+) (\d+)h1v1h-1z/g)].map(([, x, y]) => `${x} ${y}`));
  const scale = 4;
  const [width, height] = [size * scale, size * scale];
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let at = 0; at < width * height; at += 1) {
    const [x, y] = [Math.floor((at % width) / scale), Math.floor(at / width / scale)];
    if (dark.has(`${x} ${y}`)) data.fill(0, at * 4, at * 4 + 3);
  }
  return decodeQR({ width, height, data });
}

test('setting one up: the picture and the text say the same, a code proves it, then it counts', async () => {
  const person = await somebody(app);
  const { visitor } = await signedIn(app, { person });
  const { visitor: other } = await signedIn(app, { person });
  const empty = await visitor.open('/account/security/totp');
  assert.match(empty.html, /No app is set up yet/);
  const page = await visitor.open('/account/security/totp/new');
  const secret = secretOn(page);
  assert.match(secret, /^[A-Z2-7]{32}$/);
  const uri = new URL(scanned(page));
  assert.equal(uri.searchParams.get('secret'), secret);
  assert.deepEqual(
    [uri.protocol, uri.host, decodeURIComponent(uri.pathname), uri.searchParams.get('issuer')],
    ['otpauth:', 'totp', `/Latchkey:${person.email}`, 'Latchkey'],
  );
  assert.equal(page.headers.get('cache-control'), 'no-store');
  assert.equal(secretOn(await visitor.open('/account/security/totp/new')), secret, 'opening it again shows the same');

  const wrong = await visitor.submit(page, { code: wrongCode(secret), name: 'Phone' }, '/new$');
  assert.equal(wrong.status, 400);
  assert.match(wrong.html, /Your app shows another code/);
  assert.equal(secretOn(wrong), secret);
  assert.deepEqual(await app.services.factors.kindsOf(person.id), [], 'one that was not proved is none');

  const done = await visitor.submit(page, { code: oath(secret), name: '  Phone of Ada ' }, '/new$');
  assert.equal(done.status, 200);
  assert.equal(codesOn(done).length, 10, 'the first factor leads to recovery codes');
  assert.match((await visitor.open('/account/security/totp')).html, /Phone of Ada/);
  assert.match((await visitor.open('/account')).url, /\/account$/, 'here one stays signed in');
  assert.match((await other.open('/account')).url, /\/login\//, 'everywhere else not');
  const mail = await app.mail(person.email, ({ subject }) => subject.includes('second step was added'));
  assert.match(mail.text, /Authenticator app “Phone of Ada”/);
  assert.equal((await events(person.id, 'factor.added')).length, 1);
});

test('A11: the second step follows the password; tokens say both; a code works once, within the drift as well', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const person = await enrolled(app);
  const { visitor, page, client, verifier } = await secondStep(app, person);
  assert.match(page.url, /\/login\/[^/]+\/totp$/);
  const code = oath(person.secret);
  const done = await visitor.submit(page, { code: `${code.slice(0, 3)} ${code.slice(3)}` }, '/totp$');
  const answer = await token(app, client, {
    grant_type: 'authorization_code',
    code: codeOf(done) as string,
    redirect_uri: CALLBACK,
    code_verifier: verifier,
  });
  const claims = decodeJwt(answer.body.id_token as string);
  assert.deepEqual([claims['amr'], claims['acr']], [['pwd', 'otp', 'mfa'], 'urn:latchkey:mfa']);
  assert.deepEqual(
    (await events(person.id, 'factor.proved')).map(({ details }) => details),
    [{ kind: 'totp' }],
  );

  for (const later of [0, 29_000]) {
    t.mock.timers.setTime(Date.now() + later);
    const again = await secondStep(app, person);
    const replayed = await again.visitor.submit(again.page, { code }, '/totp$');
    assert.equal(replayed.status, 400);
    assert.match(replayed.html, /This code was used already/);
  }
  const failed = await events(person.id, 'factor.failed');
  assert.deepEqual(
    failed.map(({ details }) => details),
    Array(2).fill({ kind: 'totp', reason: 'used' }),
  );
});

test('one step of drift either way, no more; and never back with the clock', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const person = await enrolled(app);
  const by = { via: 'page', ip: '192.0.2.1', userAgent: null, requestId: null, device: 'x' } as const;
  const prover = { accountId: person.id, address: person.email, by };
  const prove = (steps: number) => app.services.totp.prove(prover, oath(person.secret, steps));
  t.mock.timers.setTime(Date.now() + 10 * 60_000);
  assert.deepEqual([await prove(-2), await prove(2)], ['wrong', 'wrong']);
  assert.equal(await prove(-1), 'right');
  assert.equal(await prove(1), 'right');
  assert.equal(await prove(0), 'used', 'older than one that was accepted');
  t.mock.timers.setTime(Date.now() - 5 * 60_000);
  assert.equal(await prove(0), 'used', 'a clock that was set back opens nothing again');
  t.mock.timers.setTime(Date.now() + 6 * 60_000);
  assert.equal(await prove(0), 'right');
});

test('after five wrong codes the sign-in is over, and the right one comes too late', async () => {
  const person = await enrolled(app);
  const { visitor, page } = await secondStep(app, person);
  const code = wrongCode(person.secret);
  for (const left of [4, 3, 2, 1]) {
    const again = await visitor.submit(page, { code }, '/totp$');
    assert.equal(again.status, 400);
    assert.match(again.html, new RegExp(`You have ${left} tr(y|ies) left`));
  }
  assert.equal((await visitor.submit(page, { code }, '/totp$')).status, 410);
  const late = await visitor.submit(page, { code: oath(person.secret) }, '/totp$');
  assert.equal(late.status, 410);
  assert.match((await visitor.open('/account')).url, /\/login\//, 'nobody was signed in');
});

test('of a hundred guesses at once five are compared, and the account slows down who begins anew', async (t) => {
  // So that no waiting time passes meanwhile.
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const person = await enrolled(app);
  const { visitor, page } = await secondStep(app, person);
  const { action, body } = visitor.fill(page, { code: wrongCode(person.secret) }, '/totp$');
  const post = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body };
  const statuses = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const response = await visitor.request(action, post);
      await response.text();
      return response.status;
    }),
  );
  assert.ok(statuses.every((status) => [400, 410, 429].includes(status)));
  assert.equal((await events(person.id, 'factor.failed')).length, 5);
  for (let flow = 0; flow < 3; flow += 1) {
    const next = await secondStep(app, person);
    for (let n = 0; n < 5; n += 1) await next.visitor.submit(next.page, { code: wrongCode(person.secret) }, '/totp$');
  }
  assert.equal((await events(person.id, 'factor.failed')).length, 10, 'of one source at one account');
  const refused = await secondStep(app, person);
  const answer = await refused.visitor.submit(refused.page, { code: oath(person.secret) }, '/totp$');
  assert.equal(answer.status, 429, 'not even the right one is looked at');
  assert.ok(Number(answer.headers.get('retry-after')) > 0);
});

test('removing one asks for a fresh proof with the factor, ends what is elsewhere, and takes the codes along', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const person = await enrolled(app);
  await app.services.recoveryCodes.create(person.id, {
    by: { via: 'page', ip: null, userAgent: null, requestId: null, device: 'x' },
  });
  const visitor = await inAccount(app, person);
  t.mock.timers.setTime(Date.now() + 60_000);
  const other = await inAccount(app, person);
  const list = await visitor.open('/account/security/totp');
  const renamed = await visitor.submit(list, { name: 'Le téléphone d’Ada' }, '/rename$');
  assert.match(renamed.html, /Le téléphone d’Ada/);
  const long = await visitor.submit(list, { name: 'x'.repeat(61) }, '/rename$');
  assert.equal(long.status, 400);

  t.mock.timers.setTime(Date.now() + 11 * 60_000);
  const stale = await visitor.submit(list, {}, '/remove$');
  assert.match(stale.url, /\/login\//, 'it was eleven minutes ago');
  const half = await signIn(visitor, stale, person);
  assert.match(half.url, /\/totp$/, 'and the password alone is no proof');
  const back = await visitor.submit(half, { code: oath(person.secret) }, '/totp$');
  assert.equal(new URL(back.url).pathname, '/account/security/totp');
  const gone = await visitor.submit(back, {}, '/remove$');
  assert.match(gone.html, /No app is set up yet/);
  assert.match((await other.open('/account')).url, /\/login\//);
  assert.deepEqual(await app.services.factors.of(person.id), []);
  await app.mail(person.email, ({ subject }) => subject.includes('second step was removed'));
});

test('a set-up is its holder’s, and fifteen minutes old it is another', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const person = await somebody(app);
  const { visitor } = await signedIn(app, { person });
  const { visitor: thief } = await signedIn(app, { person });
  const page = await visitor.open('/account/security/totp/new');
  const secret = secretOn(page);
  assert.notEqual(secretOn(await thief.open('/account/security/totp/new')), secret);
  t.mock.timers.setTime(Date.now() + 16 * 60_000);
  const again = createVisitor(app.url, { 'user-agent': FIREFOX });
  for (const [key, value] of visitor.cookies) again.cookies.set(key, value);
  const late = await visitor.submit(page, { code: oath(secret) }, '/new$');
  assert.match(late.url, /\/login\//, 'the sign-in is as old, so it asks for that first');
  const back = await signIn(visitor, late, person);
  assert.notEqual(secretOn(back), secret);
  const dead = await visitor.submit(back, { code: oath(secret) }, '/new$');
  assert.equal(dead.status, 400);
  assert.deepEqual(await app.services.factors.kindsOf(person.id), []);
});

test('IDOR: somebody else’s authenticator is not there', async () => {
  const [ada, eve] = [await enrolled(app), await enrolled(app)];
  const visitor = await inAccount(app, eve);
  const list = await visitor.open('/account/security/totp');
  for (const verb of ['rename', 'remove']) {
    const { body } = visitor.fill(list, verb === 'rename' ? { name: 'mine' } : {}, `/${verb}$`);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await visitor.open(`/account/security/totp/${ada.factorId}/${verb}`, {
      method: 'POST',
      headers,
      body,
    });
    assert.equal(answer.status, 404);
  }
  const [factor] = await app.services.factors.of(ada.id);
  assert.equal(factor?.name, 'Phone');
});

test('secrets are in no table and no log', async () => {
  const person = await enrolled(app);
  await app.services.totp.begin({ accountId: person.id, label: person.email, holder: 'another' });
  const { visitor, page } = await secondStep(app, person);
  await visitor.submit(page, { code: oath(person.secret) }, '/totp$');
  const files = ['latchkey.db', 'latchkey.db-wal']
    .map((name) => readFileSync(join(app.dataDir, name), 'latin1'))
    .join();
  for (const text of [person.secret, person.secret.toLowerCase(), Buffer.from(person.secret).toString('base64')]) {
    assert.ok(!files.includes(text) && !log.join('\n').includes(text));
  }
  assert.ok(files.includes(person.factorId), 'the files are those of the database');
});
