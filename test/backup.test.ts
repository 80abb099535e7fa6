/** A backup of the running service and its restore: what was written comes back, what opened a door does not. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import pg from 'pg';
import { createBackup } from '../src/ops/backup.ts';
import { startApp, type TestApp } from './support/app.ts';
import { commandLine } from './support/command-line.ts';
import { enrolled, inAccount, oath } from './support/factors.ts';
import {
  authorizationRequest,
  FIREFOX,
  PASSWORD,
  type SignedIn,
  signedIn,
  signIn,
  somebody,
  token,
} from './support/flow.ts';
import { freePort } from './support/ports.ts';
import { startPostgres } from './support/postgres.ts';
import { startRedis } from './support/redis.ts';
import { createVisitor } from './support/visitor.ts';

/** Every table, and what a restore does with it. Whoever adds one decides. */
const EMPTIED = [
  'artifacts',
  'challenges',
  'consents',
  'factor_recoveries',
  'grants',
  'refresh_replays',
  'refresh_tokens',
  'remembered_devices',
  'sessions',
  'sign_in_steps',
  'totp_setups',
];
const KEPT = [
  'account_roles',
  'accounts',
  'address_rules',
  'attempts',
  'audit_checkpoints',
  'audit_cuts',
  'audit_events',
  'audit_head',
  'clients',
  'data_keys',
  'outbox',
  'passkey_owners',
  'passkeys',
  'rate_windows',
  'recovery_codes',
  'schema_migrations',
  'schema_migrations_lock',
  'signing_keys',
  'tombstones',
  'totps',
];
const MACHINE = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] };
const OFFLINE = 'openid profile email account:read';

const refresh = (app: TestApp, { client, tokens }: Pick<SignedIn, 'client' | 'tokens'>) =>
  token(app, client, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token as string });

async function userinfo(app: TestApp, accessToken: string): Promise<number> {
  const headers = { authorization: `Bearer ${accessToken}` };
  return (await fetch(`${app.url}/oauth2/userinfo`, { headers })).status;
}

async function introspected(app: TestApp, client: SignedIn['client'], accessToken: string): Promise<boolean> {
  const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
  const body = new URLSearchParams({ token: accessToken });
  const headers = { authorization: `Basic ${basic}` };
  const response = await fetch(`${app.url}/oauth2/introspect`, { method: 'POST', headers, body });
  return ((await response.json()) as { active: boolean }).active;
}

const kids = async (app: TestApp) =>
  ((await (await fetch(`${app.url}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] }).keys.map(
    ({ kid }) => kid,
  );

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-backup-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

async function visitorAtLogin(app: TestApp, clientId: string) {
  const visitor = createVisitor(app.url);
  return { visitor, page: await visitor.open(authorizationRequest(app, clientId).url) };
}

const rowsIn = (database: Sqlite.Database, table: string) =>
  (database.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;

test('backup and restore: accounts, factors and keys come back; sessions, tokens and codes do not', async (t) => {
  const key = randomBytes(32);
  const port = await freePort();
  const env = { LATCHKEY_SECRET_KEY: key.toString('base64') };
  const before = await startApp(t, { env, port });
  const { services } = before;
  const ada = await enrolled(before, { email: 'ada@example.com' });
  const browser = await inAccount(before, ada);
  const held = await signedIn(before, {
    person: await somebody(before, { email: 'bob@example.com' }),
    client: await before.client({ backchannel_logout_uri: 'http://127.0.0.1:9/logout' }),
    scope: OFFLINE,
  });
  const bob = held.person;
  const machine = await before.client(MACHINE);
  const given = (await token(before, machine, { grant_type: 'client_credentials' })).body.access_token;
  await services.db.write(function* () {
    yield* services.outbox.enqueue('mail', { template: 'password-changed', to: bob.email, locale: 'en', data: {} });
  });
  const tomorrow = Date.now() + 86_400_000;
  await services.db.run("UPDATE outbox SET due_at = ?, expires_at = ? WHERE kind = 'mail'", tomorrow, tomorrow);
  const login = await visitorAtLogin(before, held.client.client_id);
  const forgot = await login.visitor.open(login.page.url.replace('/login/', '/forgot/'));
  await login.visitor.submit(forgot, { email: bob.email }, '^/forgot/[^/]+$');

  const cli = commandLine(t, { ...env, LATCHKEY_DATA_DIR: before.dataDir });
  const file = join(folder(t), 'latchkey.db');
  const made = await cli.run(['backup', '--to', file, '--json']);
  assert.equal(made.code, 0, made.err);
  assert.deepEqual(made.json, { file, bytes: statSync(file).size });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(file, '..')), ['latchkey.db'], 'one file, and nothing half-done beside it');
  const again = await cli.run(['backup', '--to', file]);
  assert.deepEqual([again.code, again.out], [4, '']);

  const bytes = readFileSync(file);
  const canaries = [
    ...[key, env.LATCHKEY_SECRET_KEY, PASSWORD, ada.secret, held.client.client_secret, given],
    ...[held.tokens.access_token, held.tokens.refresh_token as string],
  ];
  for (const canary of canaries) assert.equal(bytes.indexOf(canary), -1, 'no secret is in a backup');
  assert.notEqual(bytes.indexOf(bob.id), -1);

  const copied = new Sqlite(file, { readonly: true });
  for (const table of ['sessions', 'grants', 'refresh_tokens', 'artifacts', 'challenges']) {
    assert.notEqual(rowsIn(copied, table), 0, `${table} is not empty before`);
  }
  copied.close();

  // After the backup: revoked, new.
  await services.sessions.revokeAll(bob.id);
  const carol = await somebody(before, { email: 'carol@example.com' });
  const keys = await kids(before);
  await before.stop();

  const dataDir = folder(t);
  const target = commandLine(t, { ...env, LATCHKEY_DATA_DIR: dataDir });
  const older = oath(ada.secret);
  const restored = await target.run(['restore', '--from', file, '--json']);
  assert.equal(restored.code, 0, restored.err);
  assert.deepEqual({ ...restored.json, until: null }, { people: 2, mails: 1, until: null });
  assert.ok(Date.parse(restored.json.until) <= Date.now());
  assert.deepEqual(readdirSync(dataDir), ['latchkey.db']);
  const database = new Sqlite(join(dataDir, 'latchkey.db'), { readonly: true });
  const tables = (
    database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all() as {
      name: string;
    }[]
  ).map(({ name }) => name);
  assert.deepEqual(tables.sort(), [...EMPTIED, ...KEPT].sort(), 'what a restore does with each table is decided');
  for (const table of EMPTIED) assert.equal(rowsIn(database, table), 0, table);
  database.close();

  const after = await startApp(t, { env, port, dataDir });
  assert.deepEqual(await kids(after), keys, 'the signing keys stay');
  assert.equal((await refresh(after, held)).status, 400, 'revoked after the backup');
  assert.equal(await userinfo(after, held.tokens.access_token), 401);
  assert.equal(await introspected(after, machine, given), false);
  assert.match((await browser.open('/account')).url, /login/, 'signed out, although nobody had ended it');
  await signedIn(after, { person: bob });
  const visitor = createVisitor(after.url, { 'user-agent': FIREFOX });
  const second = await signIn(visitor, await visitor.open('/account'), ada);
  const spent = await visitor.submit(second, { code: older }, '/totp$');
  assert.match(spent.url, /totp/, 'a code of the time of the restore is spent');
  const done = await visitor.submit(spent, { code: oath(ada.secret, 1) }, '/totp$');
  assert.equal(new URL(done.url).pathname, '/account');
  assert.equal(await after.services.accounts.byEmail(carol.email), undefined, 'later than the backup');
  const { items } = await after.services.audit.list({ type: 'session.ended', account: bob.id }, 10);
  assert.ok(items.every(({ details }) => details['reason'] === 'database_restored') && items.length > 0);
  assert.equal((await after.services.audit.list({ type: 'database.restored' }, 10)).items.length, 1);
  assert.equal(
    (await after.services.audit.list({ type: 'backup.made' }, 10)).items.length,
    0,
    'made later than itself',
  );
  const notices = await after.services.db.all("SELECT id FROM outbox WHERE kind = 'logout'");
  assert.ok(notices.length > 0, 'applications are told');
  const verdict = await after.services.audit.verify();
  assert.deepEqual([verdict.ok, verdict.fault], [true, null]);
});

test('a restore goes into a folder without a database only, and what can not be restored leaves none', async (t) => {
  const source = commandLine(t);
  assert.equal((await source.run(['users', 'list'])).code, 0);
  const dir = folder(t);
  const file = join(dir, 'good.db');
  const live = { file: join(source.dataDir, 'latchkey.db') };
  const unrecorded = createBackup({ target: live, record: () => Promise.reject(new Error('lost')) });
  await assert.rejects(unrecorded.make(file), /lost/);
  assert.deepEqual(readdirSync(dir), [], 'without its record there is no backup');
  assert.equal((await source.run(['backup', '--to', file])).code, 0);
  const spoiled = (name: string, sql: string) => {
    const path = join(dir, name);
    copyFileSync(file, path);
    const database = new Sqlite(path);
    database.exec(sql);
    database.close();
    return path;
  };
  const damaged = join(dir, 'damaged.db');
  writeFileSync(damaged, readFileSync(file).fill(0xaa, 5 * 4096, 9 * 4096));
  writeFileSync(join(dir, 'diary.db'), 'Dear diary, '.repeat(1000));
  const newer = "INSERT INTO schema_migrations (name, batch, migration_time) VALUES ('9999_later', 9, 0)";
  const cases: [name: string, code: number, words: RegExp][] = [
    [join(dir, 'none.db'), 69, /There is no file/],
    [damaged, 69, /damaged/],
    [join(dir, 'diary.db'), 69, /damaged/],
    [spoiled('foreign.db', 'DROP TABLE schema_migrations'), 69, /not a database of Latchkey/],
    [spoiled('newer.db', newer), 78, /newer version \(9999_later\)/],
  ];
  const target = commandLine(t, { LATCHKEY_SECRET_KEY: source.env['LATCHKEY_SECRET_KEY'] as string });
  for (const [path, code, words] of cases) {
    const said = await target.run(['restore', '--from', path]);
    assert.equal(said.code, code, `${path}: ${said.err}`);
    assert.match(said.err, words, path);
    assert.deepEqual(readdirSync(target.dataDir), [], `${path}: the folder is as it was`);
  }
  const other = commandLine(t);
  const locked = await other.run(['restore', '--from', file]);
  assert.equal(locked.code, 78, locked.err);
  assert.match(locked.err, /LATCHKEY_SECRET_KEY/);
  assert.ok(!existsSync(join(other.dataDir, 'latchkey.db')), 'with another secret key nothing is there');
  assert.equal((await target.run(['restore', '--from', file])).code, 0);
  const twice = await target.run(['restore', '--from', file]);
  assert.equal(twice.code, 4);
  assert.match(twice.err, /without a database only/);
  assert.equal((await target.run(['restore'])).code, 2);
  assert.equal((await target.run(['restore', '--in-place'])).code, 2, 'nobody can be asked');

  const running = new Sqlite(join(target.dataDir, 'latchkey.db'));
  running.prepare('SELECT count(*) FROM accounts').get();
  const used = await target.run(['restore', '--in-place', '--yes']);
  running.close();
  assert.equal(used.code, 4, used.err);
  assert.match(used.err, /An instance is using the database/);
  const done = await target.run(['restore', '--in-place', '--yes', '--json']);
  assert.deepEqual({ ...done.json, until: 0 }, { people: 0, mails: 0, until: 0 }, done.err);
});

test('PostgreSQL restored by other means: what was revoked since is dead, in Redis, too', async (t) => {
  const [postgres, redis, port] = await Promise.all([startPostgres(), startRedis(), freePort()]);
  t.after(() => Promise.all([postgres.stop(), redis.stop()]));
  const url = await postgres.database();
  const env = { LATCHKEY_SECRET_KEY: randomBytes(32).toString('base64'), LATCHKEY_REDIS_URL: redis.url };
  const first = await startApp(t, { env: { ...env, LATCHKEY_DATABASE_URL: url }, port });
  const held = await signedIn(first, { scope: OFFLINE });
  const machine = await first.client(MACHINE);
  const given = (await token(first, machine, { grant_type: 'client_credentials' })).body.access_token;
  const left = (await token(first, machine, { grant_type: 'client_credentials' })).body.access_token;
  const refused = await commandLine(t, { ...env, LATCHKEY_DATABASE_URL: url }).run(['backup', '--to', '/tmp/never.db']);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /pg_dump/);
  await first.stop();

  const copy = `${url}_copy`;
  const server = new pg.Client({ connectionString: url.replace(/[^/]+$/, 'postgres') });
  await server.connect();
  const name = new URL(url).pathname.slice(1);
  await server.query(`CREATE DATABASE ${name}_copy TEMPLATE ${name}`);
  await server.end();

  const second = await startApp(t, { env: { ...env, LATCHKEY_DATABASE_URL: url }, port });
  assert.equal(await introspected(second, machine, given), true);
  await second.services.sessions.revokeAll(held.person.id);
  const basic = Buffer.from(`${machine.client_id}:${machine.client_secret}`).toString('base64');
  const headers = { authorization: `Basic ${basic}` };
  await fetch(`${second.url}/oauth2/revoke`, { method: 'POST', headers, body: new URLSearchParams({ token: given }) });
  assert.equal(await introspected(second, machine, given), false);
  await second.stop();

  const cli = commandLine(t, { ...env, LATCHKEY_DATABASE_URL: copy });
  const instance = new pg.Client({ connectionString: copy, application_name: 'latchkey' });
  await instance.connect();
  const used = await cli.run(['restore', '--in-place', '--yes']);
  await instance.end();
  assert.equal(used.code, 4, used.err);
  const restored = await cli.run(['restore', '--in-place', '--yes', '--json']);
  assert.equal(restored.code, 0, restored.err);
  assert.equal(restored.json.people, 1);

  const third = await startApp(t, { env: { ...env, LATCHKEY_DATABASE_URL: copy }, port });
  assert.equal(third.services.artifacts.volatile?.state(), 'up');
  for (const dead of [given, left]) assert.equal(await introspected(third, machine, dead), false);
  assert.equal((await refresh(third, held)).status, 400);
  assert.equal(await userinfo(third, held.tokens.access_token), 401);
  await signedIn(third, { person: held.person, client: held.client });
  assert.equal((await third.services.audit.verify()).ok, true);
  await third.stop();
});
