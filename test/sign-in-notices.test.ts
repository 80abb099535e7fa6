/** What people are told of their sign-ins, and "this wasn't me" (SECURITY A15, D3). */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openPlaces } from '../src/sessions/places.ts';
import { type Mail, startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, codeOf, FIREFOX, type Person, signedIn, signIn, token } from './support/flow.ts';
import { mmdb } from './support/mmdb.ts';
import { createVisitor, type Visitor } from './support/visitor.ts';

const EDGE =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0';
const NEW_PASSWORD = 'herons wait in the reeds';
const linkIn = ({ text }: Mail) => /^http\S+\/security\/not-me\/\S+$/m.exec(text)?.[0] as string;
const codeIn = ({ text }: Mail) => /^ {4}(\d{6})$/m.exec(text)?.[1] as string;
const about = (words: RegExp) => (mail: Mail) => words.test(mail.subject);
const FRANCE = { en: 'France', fr: 'la France' };
const NEW_SIGN_IN = /^New sign-in/;

const browser = (app: TestApp, userAgent = FIREFOX) => createVisitor(app.url, { 'user-agent': userAgent });

async function enter(app: TestApp, person: Person, visitor: Visitor, password = person.password) {
  const page = await visitor.open(authorizationRequest(app, (await app.client()).client_id, { prompt: 'login' }).url);
  return signIn(visitor, page, { email: person.email, password });
}

/** A person who signed in twice, and the mail about the second time, in another browser. */
async function told(app: TestApp) {
  const first = await signedIn(app, { scope: 'openid offline_access' });
  const stranger = browser(app, EDGE);
  assert.ok(codeOf(await enter(app, first.person, stranger)));
  const mail = await app.mail(first.person.email, about(NEW_SIGN_IN));
  return { ...first, stranger, mail };
}

test('a sign-in in a browser that nobody knows is told by mail, with device, time and place; others are not', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-places-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'places.mmdb');
  writeFileSync(file, mmdb('127.0.0.0/8', { city: { names: { en: 'Lyon' } }, country: { names: FRANCE } }));
  const app = await startApp(t, { env: { LATCHKEY_GEOIP_FILE: file } });
  const { person, visitor, mail } = await told(app);
  assert.match(mail.text, /Edge on Windows · Lyon, France · 127\.0\.0\.1/);
  assert.match(mail.text, new RegExp(`on .*${new Date().getUTCFullYear()}`));
  assert.match(linkIn(mail), new RegExp(`^${app.url}/security/not-me/`));
  const mails = () => app.mails().filter(({ to }) => to === person.email);
  assert.equal(mails().length, 1, 'none for the first sign-in of all');
  assert.ok(codeOf(await enter(app, person, visitor)));
  for (let failures = 0; failures < 3; failures += 1) await enter(app, person, visitor, 'not this one at all');
  assert.ok(codeOf(await enter(app, person, visitor)));
  const after = await app.mail(person.email, about(/after failed tries/));
  assert.match(after.text, /after 3 tries that failed/);
  assert.equal(mails().length, 2);
  await app.services.accounts.changeProfile(person.id, { locale: 'fr' });
  assert.ok(codeOf(await enter(app, person, browser(app))));
  const french = await app.mail(person.email, about(/^Nouvelle connexion/));
  assert.match(french.text, /Lyon, la France/);
});

test('this was not me: opening the link changes nothing, its button ends everything, once, without a sign-in', async (t) => {
  const app = await startApp(t);
  const { person, client, tokens, visitor, stranger, mail } = await told(app);
  const link = linkIn(mail);
  const refresh = () =>
    token(app, client, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token as string });
  const phone = browser(app);
  for (const method of ['GET', 'HEAD']) assert.equal((await phone.request(link, { method })).status, 200);
  assert.equal((await stranger.open('/account')).url.includes('/login/'), false, 'still signed in');

  const page = await phone.open(link);
  assert.match(page.html, /Edge on Windows/);
  const forged = await phone.submit(page, { csrf: 'x' }, '/not-me/');
  assert.equal(forged.status, 403);
  const chosen = await phone.submit(page, {}, '/not-me/');
  assert.match(chosen.url, /\/security\/new-password\//);
  for (const each of [visitor, stranger]) assert.match((await each.open('/account')).url, /\/login\//);
  assert.equal((await refresh()).body.error, 'invalid_grant');
  assert.equal((await enter(app, person, browser(app))).status, 400, 'the old password is worth nothing');
  const again = await Promise.all([phone.open(link), phone.submit(page, {}, '/not-me/')]);
  assert.deepEqual(
    again.map(({ status }) => status),
    [400, 400],
    'used once',
  );

  const code = codeIn(await app.mail(person.email, about(/code for a new password/)));
  const wrong = await phone.submit(chosen, { code: code === '000000' ? '000001' : '000000', password: NEW_PASSWORD });
  assert.equal(wrong.status, 400);
  const there = await phone.submit(wrong, { code, password: NEW_PASSWORD }, '/new-password/[^/]+$');
  assert.match(there.url, /\/login\//, 'a reset signs nobody in');
  assert.ok(codeOf(await enter(app, person, browser(app), NEW_PASSWORD)));

  await app.mail(person.email, about(/locked down/));
  const { items } = await app.services.audit.list({ account: person.id }, 50);
  assert.ok(items.some(({ type }) => type === 'sign_in.disowned'));
  assert.ok(items.some(({ type, details }) => type === 'session.ended' && details['reason'] === 'disowned'));
});

test('twice at once it works once, and after a week not at all', async (t) => {
  const app = await startApp(t);
  const { mail } = await told(app);
  const phone = browser(app);
  const page = await phone.open(linkIn(mail));
  const answers = await Promise.all([1, 2, 3].map(() => phone.submit(page, {}, '/not-me/')));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400, 400]);

  const late = linkIn((await told(app)).mail);
  const later = Date.now() + 7 * 86_400_000 + 1000;
  t.mock.timers.enable({ apis: ['Date'], now: later });
  assert.equal((await phone.open(late)).status, 400);
  t.mock.timers.reset();
  assert.equal((await phone.open(late)).status, 200);
});

test('a file of places that is none stops the start with a sentence', async (t) => {
  const app = await startApp(t);
  const file = join(app.dataDir, 'none.mmdb');
  writeFileSync(file, 'this is no database');
  assert.throws(() => openPlaces(file), /LATCHKEY_GEOIP_FILE .* can not be used as a MaxMind DB/);
  writeFileSync(file, mmdb('192.0.2.0/24', { country: { names: { en: 'France' } } }));
  const places = openPlaces(file);
  assert.equal(places.of('192.0.2.77', 'fr-CA'), 'France');
  for (const ip of ['198.51.100.1', 'nonsense', '2001:db8::1', null]) assert.equal(places.of(ip, 'en'), null);
});
