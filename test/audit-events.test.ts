/** What real doors write into the record, and who may read it: the person, and the operator at the command line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEntry, EventType } from '../src/audit/events.ts';
import { apiUser, assertRefused } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { commandLine } from './support/command-line.ts';
import { authorizationRequest, FIREFOX, PASSWORD, signedIn, signIn, somebody } from './support/flow.ts';
import { createVisitor } from './support/visitor.ts';

const record = async (app: TestApp, filter: object = {}) => (await app.services.audit.list(filter, 200)).items;
/** Newest last. */
const types = (entries: AuditEntry[]) => entries.map(({ type }) => type).reverse();

test('registering, and every way that a sign-in fails', async (t) => {
  const app = await startApp(t);
  const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
  const client = await app.client();
  const login = await visitor.open(authorizationRequest(app, client.client_id).url);
  const form = await visitor.open(login.url.replace('/login/', '/register/'));
  const words = { email: 'new@example.com', name: 'New', password: PASSWORD };
  const verify = await visitor.submit(form, words, '^/register/[^/]+$');
  const code = /\b\d{6}\b/.exec((await app.mail('new@example.com')).text)?.[0] as string;
  const wrong = code === '000000' ? '111111' : '000000';
  const again = await visitor.submit(verify, { code: wrong }, '^/verify/[^/]+$');
  await visitor.submit(again, { code }, '^/verify/[^/]+$');
  const [registered] = await record(app, { type: 'registration.completed' });
  assert.ok(registered?.account_id && registered.request_id && registered.ip);
  assert.deepEqual([registered.user_agent, registered.client_id, registered.via], [FIREFOX, client.client_id, 'page']);
  const expected: EventType[] = ['registration.started', 'code.failed', 'registration.completed', 'sign_in.succeeded'];
  assert.deepEqual(
    types(await record(app)).filter((type) => expected.includes(type)),
    expected,
  );

  const person = await somebody(app);
  const disabled = await somebody(app);
  await app.services.accounts.disable(disabled.id);
  const tries = [
    { email: person.email, password: 'wrong wrong wrong' },
    { email: 'nobody@example.com', password: 'my secret typed here' },
    { email: disabled.email, password: PASSWORD },
  ];
  for (const each of tries) {
    const stranger = createVisitor(app.url);
    await signIn(stranger, await stranger.open(authorizationRequest(app, client.client_id).url), each);
  }
  const failed = (await record(app, { type: 'sign_in.failed' })).reverse();
  const seen = failed.map(({ account_id, outcome, details }) => [account_id, outcome, details['reason']]);
  assert.deepEqual(seen, [
    [person.id, 'failure', 'wrong_password'],
    [null, 'failure', 'unknown_address'],
    [disabled.id, 'failure', 'account_disabled'],
  ]);
  const dump = JSON.stringify(await record(app));
  for (const secret of ['nobody@example.com', 'new@example.com', 'secret typed', PASSWORD, code]) {
    assert.ok(!dump.includes(secret), `${secret} stands in the record`);
  }
  assert.equal((await app.services.audit.verify()).ok, true);
});

test('signing in, reading, changing: each once, with the session and the client', async (t) => {
  const app = await startApp(t);
  const who = await apiUser(app);
  await who.api('PATCH /api/v1/account', { json: { name: 'Other' } });
  await who.api('POST /api/v1/account/password', { json: { current_password: 'no', new_password: 'a new long one' } });
  await who.api('POST /api/v1/account/password', {
    json: { current_password: PASSWORD, new_password: 'an even longer sentence' },
  });
  const entries = await record(app, { account: who.person.id });
  assert.deepEqual(types(entries), [
    'account.created',
    'sign_in.succeeded',
    'token.issued',
    'account.profile_changed',
    'password.change_failed',
    'session.ended',
    'password.changed',
  ]);
  const changed = entries.find(({ type }) => type === 'account.profile_changed');
  assert.deepEqual([changed?.via, changed?.details], ['api', { fields: ['name'] }]);
  const issued = entries.find(({ type }) => type === 'token.issued');
  const app_ = (await app.services.sessions.list(who.person.id)).find(({ kind }) => kind === 'app');
  assert.deepEqual([issued?.session_id, issued?.client_id], [app_?.id, who.client.client_id]);
});

test('a person reads the events of the own account only, page by page, by API and on the page', async (t) => {
  const app = await startApp(t);
  const [ada, other] = [await apiUser(app), await apiUser(app)];
  for (let n = 0; n < 5; n += 1) await ada.api('PATCH /api/v1/account', { json: { name: `Ada ${n}` } });
  const all = (await ada.api('GET /api/v1/account/events')).body;
  assert.equal(all.next, null);
  assert.ok(all.items.length >= 8);
  assert.equal(all.items[0].type, 'account.profile_changed');
  const strangers = (await other.api('GET /api/v1/account/events')).body.items;
  const own = new Set(all.items.map(({ id }: AuditEntry) => id));
  assert.ok(strangers.every(({ id }: AuditEntry) => !own.has(id)));
  const paged: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await ada.api(`GET /api/v1/account/events?limit=3${cursor}`);
    paged.push(...body.items.map(({ id }: AuditEntry) => id));
    if (body.next === null) break;
    cursor = `&cursor=${body.next}`;
  }
  assert.deepEqual(
    paged,
    all.items.map(({ id }: AuditEntry) => id),
  );
  assertRefused(await ada.api('GET /api/v1/account/events?cursor=%25'), 'invalid_request', ['cursor: invalid_cursor']);

  const page = await ada.visitor.open('/account/events');
  assert.equal(page.status, 200, page.html.slice(0, 500));
  for (const words of [/Profile changed/, /Signed in/, /Firefox on Linux/, /127\.0\.0\.1|::1/]) {
    assert.match(page.html, words);
  }
  assert.match((await ada.visitor.open('/account/security')).html, /href="\/account\/events"/);
  const nobody = createVisitor(app.url);
  assert.match((await nobody.open('/account/events')).url, /\/login\//);
});

test('consent, given and refused', async (t) => {
  const app = await startApp(t);
  const client = await app.client({ first_party: false, scope: 'openid email profile' });
  const person = await somebody(app);
  for (const decision of ['deny', 'allow']) {
    const visitor = createVisitor(app.url);
    const login = await visitor.open(authorizationRequest(app, client.client_id).url);
    await visitor.submit(await signIn(visitor, login, person), { decision }, '/consent/');
  }
  const entries = await record(app, { account: person.id, client: client.client_id });
  const consents = types(entries).filter((type) => type.startsWith('consent.'));
  assert.deepEqual(consents, ['consent.refused', 'consent.granted']);
  const [granted] = entries.filter(({ type }) => type === 'consent.granted');
  assert.ok(granted);
  assert.deepEqual([...(granted.details['scopes'] as string[])].sort(), ['email', 'openid', 'profile']);
});

test('a refresh that is repeated in its window stands there as a race, not as theft', async (t) => {
  const app = await startApp(t);
  const who = await signedIn(app, { client: await app.client({ token_endpoint_auth_method: 'none' }) });
  const body = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: who.client.client_id,
    refresh_token: who.tokens.refresh_token as string,
  });
  for (let n = 0; n < 2; n += 1) {
    assert.equal((await fetch(`${app.url}/oauth2/token`, { method: 'POST', body })).status, 200);
  }
  const entries = await record(app, { client: who.client.client_id });
  assert.equal(entries.filter(({ type }) => type === 'refresh.replayed').length, 1);
  assert.equal(entries.filter(({ type }) => type === 'refresh.stolen').length, 0);
});

test('audit list, export and verify at the command line', async (t) => {
  const cli = commandLine(t);
  await cli.run(['users', 'create', '--email', 'ada@example.com', '--name', 'Ada', '--verified']);
  await cli.run(['users', 'disable', 'ada@example.com']);
  const { client_id: client } = (await cli.run(['clients', 'create', '--preset', 'nextjs', '--name', 'Shop', '--json']))
    .json;
  await cli.run(['clients', 'rotate-secret', client]);
  const { items, next } = (await cli.run(['audit', 'list', '--json'])).json;
  assert.equal(next, null);
  assert.deepEqual(types(items), ['account.created', 'account.disabled', 'client.created', 'client.secret_rotated']);
  assert.ok(items.every(({ via }: AuditEntry) => via === 'cli'));
  const ofAda = await cli.run([
    'audit',
    'list',
    '--account',
    'ada@example.com',
    '--type',
    'account.disabled',
    '--json',
  ]);
  assert.equal(ofAda.json.items.length, 1);
  assert.equal(
    (await cli.run(['audit', 'list', '--since', '2000-01-01', '--until', '2000-01-02'])).out,
    'No events.\n',
  );
  assert.equal((await cli.run(['audit', 'list', '--since', 'yesterday'])).code, 2);
  const first = (await cli.run(['audit', 'list', '--limit', '3', '--json'])).json;
  assert.equal((await cli.run(['audit', 'list', '--cursor', first.next, '--json'])).json.items.length, 1);

  const lines = (await cli.run(['audit', 'export'])).out.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).id),
    items.map(({ id }: AuditEntry) => id),
  );
  const csv = (await cli.run(['audit', 'export', '--format', 'csv', '--client', client])).out.trimEnd().split('\n');
  assert.match(csv[0] as string, /^id,seq,at,type,/);
  assert.equal(csv.length, 3);

  assert.partialDeepStrictEqual((await cli.run(['audit', 'verify', '--json'])).json, { ok: true, checked: 4 });
  await cli.within(async ({ db }) => {
    await db.run('DROP TRIGGER audit_events_removal');
    await db.run('DELETE FROM audit_events WHERE seq = 2');
  });
  const broken = await cli.run(['audit', 'verify', '--json']);
  assert.equal(broken.code, 1);
  assert.partialDeepStrictEqual(broken.json, { ok: false, fault: { seq: 2, reason: 'missing' } });
  assert.match((await cli.run(['audit', 'verify'])).out, /missing at seq 2/);
});
