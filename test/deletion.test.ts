/** The end of an account: closed at once, a way back, then really gone; and everything taken along before. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { SYSTEM } from '../src/audit/events.ts';
import { apiUser, assertRefused } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { commandLine } from './support/command-line.ts';
import {
  authorizationRequest,
  CALLBACK,
  codeOf,
  FIREFOX,
  PASSWORD,
  signedIn,
  signIn,
  somebody,
  token,
} from './support/flow.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { createVisitor, type Page, type Visitor } from './support/visitor.ts';

const DAY_MS = 86_400_000;
const account = (app: TestApp, id: string) => app.services.accounts.byId(id);
const events = async (app: TestApp, id: string) => (await app.services.audit.list({ account: id }, 200)).items;
const deleteBy = async (visitor: Visitor): Promise<Page> =>
  visitor.submit(await visitor.open('/account/delete'), {}, '^/account/delete$');

/** The page that a sign-in to an application leads to. */
async function enter(app: TestApp, person: { email: string; password: string }) {
  const visitor = createVisitor(app.url);
  const client = await app.client();
  const page = await visitor.open(authorizationRequest(app, client.client_id).url);
  return { visitor, page: await signIn(visitor, page, person) };
}

/** What the application sends for tokens, without a page in between. */
async function silentCode(app: TestApp, visitor: Visitor, clientId: string): Promise<Record<string, string>> {
  const { url, verifier } = authorizationRequest(app, clientId, { prompt: 'none' });
  const code = codeOf(await visitor.open(url)) as string;
  return { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
}

describe('a deleted account', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());

  for (const engine of ['SQLite', 'PostgreSQL']) {
    test(`${engine}: is closed at once, and after the grace period gone with all that was known of the person`, async (t) => {
      const env: Record<string, string> =
        engine === 'SQLite' ? {} : { LATCHKEY_DATABASE_URL: await postgres.database({ prepared: 'start' }) };
      const app = await startApp(t, { env });
      const who = await apiUser(app);
      const { person, visitor, tokens, client } = who;
      const bystander = await apiUser(app);
      assert.match((await deleteBy(visitor)).html, /Your account is closed/);

      assertRefused(await who.api('GET /api/v1/account'), 'invalid_token');
      const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? 'none' };
      assert.equal((await token(app, client, refresh)).status, 400);
      assert.match((await visitor.open('/account')).url, /\/login\//);
      assert.equal((await account(app, person.id))?.status, 'closed');
      const mail = await app.mail(person.email);
      assert.match(mail.subject, /account was deleted/);
      assert.match(mail.text, new RegExp(`${app.url}/account`));
      assert.equal(await app.services.deletion.sweep(10), 0, 'not yet');

      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 14 * DAY_MS + 1000 });
      const { page } = await enter(app, person);
      assert.doesNotMatch(page.html, /Go on|Sign in to Test app.*keep/s);
      await assert.rejects(app.services.deletion.restore(person.id, { ...SYSTEM }), /gone/);
      assert.equal(await app.services.deletion.sweep(10), 1);
      assert.equal(await account(app, person.id), undefined);
      for (const table of ['accounts', 'sessions', 'grants', 'consents', 'refresh_tokens', 'challenges']) {
        const column = table === 'accounts' ? 'id' : 'account_id';
        const row = await app.services.db.one(`SELECT 1 AS there FROM ${table} WHERE ${column} = ?`, person.id);
        assert.equal(row, undefined, table);
      }

      const kept = await events(app, person.id);
      assert.ok(kept.length >= 5);
      assert.equal(kept[0]?.type, 'account.deleted');
      for (const { ip, user_agent, request_id, details, type } of kept.slice(1)) {
        assert.deepEqual([ip, user_agent, request_id, details], [null, null, null, { erased: true }], type);
      }
      const verdict = await app.services.audit.verify();
      assert.deepEqual([verdict.ok, verdict.fault], [true, null], 'the chain still verifies');
      const [other] = await events(app, bystander.person.id);
      assert.ok(other && !('erased' in other.details), 'of nobody else anything is erased');

      const again = await somebody(app, { email: person.email });
      assert.notEqual(again.id, person.id, 'the subject is never used again');
    });

    test(`${engine}: removed while its codes are redeemed, leaves none of what they give, and no other answer than "not valid"`, async (t) => {
      const env: Record<string, string> =
        engine === 'SQLite' ? {} : { LATCHKEY_DATABASE_URL: await postgres.database({ prepared: 'start' }) };
      const app = await startApp(t, { env });
      for (let round = 0; round < 8; round += 1) {
        const { person, client, visitor } = await signedIn(app);
        const codes = await Promise.all(Array.from({ length: 6 }, () => silentCode(app, visitor, client.client_id)));
        const redeemed = codes.map((params) => token(app, client, params));
        const removed = app.services.deletion.remove(person.id);
        const answers = await Promise.all(redeemed);
        await removed;
        assert.equal((await token(app, client, codes[0] as Record<string, string>)).status, 400);
        for (const { status, body } of answers) {
          assert.ok(status === 200 || (status === 400 && body.error === 'invalid_grant'), JSON.stringify(body));
          if (status !== 200) continue;
          const headers = { authorization: `Bearer ${body.access_token}` };
          assert.equal((await fetch(`${app.url}/oauth2/userinfo`, { headers })).status, 401);
        }
        for (const table of ['sessions', 'grants', 'refresh_tokens']) {
          const row = await app.services.db.one(`SELECT 1 AS there FROM ${table} WHERE account_id = ?`, person.id);
          assert.equal(row, undefined, table);
        }
      }
    });
  }

  test('can be kept by signing in again until then, and is as it was', async (t) => {
    const app = await startApp(t);
    const { visitor, person } = await signedIn(app);
    await deleteBy(visitor);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 13 * DAY_MS });
    const wrong = await enter(app, { ...person, password: 'not this one at all' });
    assert.match(wrong.page.html, /don’t go together/, 'a stranger is told nothing of it');
    const { visitor: back, page } = await enter(app, person);
    assert.match(page.url, /\/login\/[^/]+\/closed$/);
    assert.match(page.html, /Keep your account\?/);
    assert.equal((await account(app, person.id))?.status, 'closed', 'signing in alone brings nothing back');
    assert.equal(
      await app.services.sessions.list(person.id).then((list) => list.length),
      0,
      'nor does it begin a session',
    );
    const kept = await back.submit(page, {}, '/closed$');
    assert.ok(codeOf(kept), 'the way to the application goes on');
    const now = await account(app, person.id);
    assert.deepEqual([now?.status, now?.deleteAfter, now?.email], ['active', null, person.email]);
    const types = (await events(app, person.id)).map(({ type }) => type);
    assert.deepEqual(types.slice(0, 2), ['sign_in.succeeded', 'account.restored']);
    t.mock.timers.setTime(Date.now() + 2 * DAY_MS);
    assert.equal(await app.services.deletion.sweep(10), 0);
  });

  test('is not kept by who goes back, nor by a form that skips the password', async (t) => {
    const app = await startApp(t);
    const { visitor, person } = await signedIn(app);
    await deleteBy(visitor);
    const { visitor: back, page } = await enter(app, person);
    const left = await back.submit(page, {}, '/cancel$');
    assert.match(left.url, /error=access_denied/);
    const stranger = createVisitor(app.url);
    const login = await stranger.open(authorizationRequest(app, (await app.client()).client_id).url);
    assert.equal((await stranger.open(`${login.url}/closed`)).status, 410);
    const csrf = /name="csrf" value="([^"]+)"/.exec(login.html)?.[1] as string;
    const skipped = await stranger.open(`${login.url}/closed`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ csrf }).toString(),
    });
    assert.equal(skipped.status, 410);
    assert.equal((await account(app, person.id))?.status, 'closed');
  });

  test('can be entered for the way back by who forgot the password, too', async (t) => {
    const app = await startApp(t);
    const { visitor, person } = await signedIn(app);
    await deleteBy(visitor);
    const stranger = createVisitor(app.url);
    const login = await stranger.open(authorizationRequest(app, (await app.client()).client_id).url);
    const forgot = await stranger.open(login.url.replace('/login/', '/forgot/'));
    const reset = await stranger.submit(forgot, { email: person.email }, '^/forgot/');
    const { text } = await app.mail(person.email, (mail) => /new password/.test(mail.subject));
    const password = 'a password of the day after';
    const done = await stranger.submit(
      reset,
      { code: /\b\d{6}\b/.exec(text)?.[0] as string, password },
      '^/reset/[^/]+$',
    );
    const page = await signIn(stranger, done, { email: person.email, password });
    assert.match(page.url, /\/closed$/);
  });

  test('without a grace period is gone at once, and the mail still goes', async (t) => {
    const app = await startApp(t, { env: { LATCHKEY_DELETION_GRACE: '0s' } });
    const { api, person } = await apiUser(app);
    const { body } = await api('DELETE /api/v1/account');
    assert.ok(Math.abs(Date.parse(body.delete_after) - Date.now()) < 5000);
    assert.equal(await account(app, person.id), undefined);
    assert.match((await app.mail(person.email)).html, /Your account is gone/);
    assert.ok((await events(app, person.id)).slice(1).every(({ details }) => details['erased'] === true));
  });

  test('many events are erased in steps, and a sweep that broke off goes on', async (t) => {
    const app = await startApp(t, { env: { LATCHKEY_DELETION_GRACE: '0s' } });
    const person = await somebody(app);
    const note = { type: 'sign_in.failed', account: person.id, by: { ...SYSTEM, ip: '192.0.2.1' } } as const;
    await app.services.db.write(function* () {
      for (let n = 0; n < 450; n += 1) yield* app.services.audit.record(note);
    });
    // Broken off after the first step.
    await app.services.db.write(() => app.services.audit.erase(person.id, '', 200));
    await app.services.deletion.remove(person.id, SYSTEM);
    const { items } = await app.services.audit.list({ account: person.id, type: 'sign_in.failed' }, 500);
    assert.equal(items.length, 450);
    assert.ok(items.every(({ ip }) => ip === null));
    assert.equal((await app.services.audit.verify()).ok, true);
  });
});

test('A17: a session of yesterday deletes nothing and takes nothing along', async (t) => {
  const app = await startApp(t);
  const { visitor, person } = await signedIn(app);
  const { api } = await apiUser(app, { person });
  const [form, data] = [await visitor.open('/account/delete'), await visitor.open('/account/data')];
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 11 * 60_000 });
  assert.match((await visitor.submit(form, {}, '^/account/delete$')).url, /\/login\//);
  assert.match((await visitor.submit(data, {}, 'export$')).url, /\/login\//);
  assertRefused(await api('DELETE /api/v1/account'), 'fresh_proof_required');
  assertRefused(await api('GET /api/v1/account/export'), 'fresh_proof_required');
  const change = { current_password: PASSWORD, new_password: 'another long sentence' };
  assertRefused(await api('POST /api/v1/account/password', { json: change }), 'fresh_proof_required');
  assert.equal((await account(app, person.id))?.status, 'active');
});

test('the command line deletes at once, and keeps what a person has deleted', async (t) => {
  const cli = commandLine(t);
  await cli.run(['migrate']);
  const ada = 'ada@example.com';
  const { json: made } = await cli.run(['users', 'create', '--email', ada, '--name', 'Ada', '--json']);
  await cli.within(async ({ accounts, deletion }) => deletion.close(await accounts.existing(made.id), SYSTEM));
  const { json: closed } = await cli.run(['users', 'show', ada, '--json']);
  assert.equal(closed.status, 'closed');
  assert.ok(Math.abs(Date.parse(closed.delete_after) - Date.now() - 14 * DAY_MS) < 60_000);
  assert.notEqual((await cli.run(['users', 'enable', ada])).code, 0, 'enabling is for what was disabled');
  assert.match((await cli.run(['users', 'restore', ada])).out, /stays/);
  assert.equal((await cli.run(['users', 'show', ada, '--json'])).json.status, 'active');
  assert.notEqual((await cli.run(['users', 'restore', ada])).code, 0);
  assert.equal((await cli.run(['users', 'delete', ada, '--yes'])).code, 0);
  const { items } = (await cli.run(['audit', 'list', '--json'])).json;
  assert.deepEqual([items[0].type, items[0].via, items[0].account_id], ['account.deleted', 'cli', made.id]);
});

test('everything that is stored about a person can be taken along, without a secret in it', async (t) => {
  const app = await startApp(t);
  const { api, person, visitor, tokens, client } = await apiUser(app);
  await api('POST /api/v1/account/email', { json: { email: 'next@example.org' } });
  const code = /\b\d{6}\b/.exec((await app.mail('next@example.org')).text)?.[0] as string;
  const { body } = await api('GET /api/v1/account/export');
  assert.deepEqual([body.account.id, body.account.email, body.account.name], [person.id, person.email, person.name]);
  assert.equal(body.account.has_password, true);
  assert.deepEqual([body.sessions.length, body.sessions[0].user_agent], [1, FIREFOX]);
  assert.equal(body.apps[0].client_id, client.client_id);
  assert.ok(body.apps[0].scopes.includes('account:read'));
  const types = body.events.map(({ type }: { type: string }) => type);
  for (const type of ['account.created', 'sign_in.succeeded', 'token.issued', 'account.exported'])
    assert.ok(types.includes(type), type);
  assert.ok(body.codes_and_links.some(({ purpose }: { purpose: string }) => purpose === 'change_email'));

  const data = await visitor.open('/account/data');
  const { action, body: form } = visitor.fill(data, {}, 'export$');
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const file = await visitor.request(action, { method: 'POST', headers, body: form });
  assert.match(file.headers.get('content-disposition') ?? '', /^attachment; filename="account-data\.json"$/);
  assert.equal(file.headers.get('cache-control'), 'no-store');
  const text = await file.text();
  assert.equal(JSON.parse(text).account.id, person.id);

  const stored = await app.services.accounts.existing(person.id);
  const cookie = visitor.cookieFor(`${app.url}/account`);
  const secrets = [stored.passwordHash as string, PASSWORD, tokens.access_token, code, ...cookie.split(/[;=] ?/)];
  for (const secret of secrets.filter((each) => each.length > 20 || each === code)) {
    assert.ok(!text.includes(secret) && !JSON.stringify(body).includes(secret), 'a secret is in the export');
  }
  assert.doesNotMatch(text, /argon2|"mac"|"chain"|"hash"/);
  const other = await apiUser(app);
  assert.ok(!JSON.stringify((await other.api('GET /api/v1/account/export')).body).includes(person.email));
});
