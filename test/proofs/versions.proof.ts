/** The version before this one and this one on one database, and this one on a schema of the version after it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { DatabaseTarget } from '../../src/db/connect.ts';
import { connect } from '../../src/db/connect.ts';
import { root } from '../../src/places.ts';
import type { TestApp } from '../support/app.ts';
import { startBalancer } from '../support/balancer.ts';
import { CALLBACK, PASSWORD, signedIn } from '../support/flow.ts';
import { FIXTURES } from '../support/freeze.ts';
import { hostRewriter } from '../support/instances.ts';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { freePort } from '../support/ports.ts';
import { startPostgres } from '../support/postgres.ts';
import { newUsers, startTraffic, wrongOf } from '../support/traffic.ts';
import { crossing, crossingPasswords, nextSecond } from './crossing.ts';
import { createLedger } from './ledger.ts';
import { type Proof, pause } from './proof.ts';

type Size = { seconds: number; lives: number; restarts: number };

/** The newest release that is frozen: the one that a rolling update replaces. */
const before = readdirSync(FIXTURES)
  .filter((name) => /^v\d/.test(name))
  .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  .at(-1) as string;

const sqlite: Proof<Size> = {
  fault: `${before}, this version and a later schema on one database, SQLite`,
  promise: 'the old instance works on while the new one starts and migrates, both serve, and either may be restarted',
  few: { seconds: 1, lives: 1, restarts: 1 },
  full: { seconds: 60, lives: 3, restarts: 10 },
  run: (t, size) => together(t, size, undefined),
};

export const postgres: Proof<Size> = {
  ...sqlite,
  fault: `${before}, this version and a later schema on one database, PostgreSQL`,
  async run(t, size) {
    const server = await startPostgres();
    t.after(() => server.stop());
    return together(t, size, await server.database());
  },
};

async function together(
  t: TestContext,
  { seconds, lives: people, restarts }: Size,
  url: string | undefined,
): Promise<string> {
  const program = unpacked(t);
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-versions-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const port = await freePort();
  const env: Record<string, string> = {
    LATCHKEY_ISSUER: `http://localhost:${port}`,
    LATCHKEY_DATA_DIR: dataDir,
    LATCHKEY_DRAIN_SECONDS: '1',
    ...(url === undefined ? {} : { LATCHKEY_DATABASE_URL: url }),
  };
  const old = await startIssuer(t, { env, program });
  const instances = [old];
  await startBalancer(t, port, instances);
  const publicClient = { token_endpoint_auth_method: 'none', first_party: true, client_name: 'Ledger' };
  const confidential = { first_party: true, client_name: 'Load' };
  const [open, client] = await Promise.all([
    old.createClient({ ...publicClient, redirect_uris: [CALLBACK] }),
    old.createClient({ ...confidential, redirect_uris: [CALLBACK] }),
  ]);
  const ledger = createLedger(old, open.client_id, join(dataDir, 'ledger.jsonl'), { afterPassword: nextSecond });
  const { email } = await ledger.register();
  const users = { person: { email, name: 'Load', password: PASSWORD, id: '' }, client };
  const traffic = await startTraffic(t, old, { users });
  const lives = Array.from({ length: people }, () => ledger.live());

  const ours = await startIssuer(t, { env });
  const host = new URL(old.url).host;
  const at = (instance: Issuer) => hostRewriter(t, Number(instance.env['LATCHKEY_PORT']), host);
  const app = old as unknown as TestApp;
  const { visitor } = await signedIn(app, { person: users.person, client });
  const both = [await at(old), await at(ours)] as const;
  for (const each of [open, client]) await crossing(app, visitor, each, both);
  await crossingPasswords(app, (await newUsers({ ...ours, dataDir })).person, open, both);
  instances.push(ours);
  await pause(seconds * 500);
  await expand({ url, file: join(dataDir, 'latchkey.db') });
  for (let n = 0; n < restarts; n += 1) await restarted(n % 2 === 0 ? old : ours);
  await pause(seconds * 500);

  await traffic.stop();
  ledger.rest();
  for (const broken of await Promise.all(lives)) if (broken !== undefined) throw broken;
  assert.deepEqual(wrongOf(traffic.answers), []);
  assert.deepEqual(
    traffic.answers.filter(({ status }) => status === 503),
    [],
  );
  for (const book of ledger.books) await ledger.check(book);
  const { stdout } = await ours.run('audit', 'verify', '--json');
  assert.match(stdout, /"ok":\s*true|"intact":\s*true/, stdout);
  ledger.close();
  return `0 of ${traffic.answers.length} requests and of ${ledger.counts.intents} changes failed; ${ledger.books.length} books checked`;
}

/** The program of that version with the packages of this one. */
function unpacked(t: TestContext): string {
  const archive = join(FIXTURES, before, 'program.tar.gz');
  assert.ok(existsSync(archive), `${before} was frozen without its program`);
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-before-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  execFileSync('tar', ['-xzf', archive, '-C', dir]);
  const words = 'src/accounts/common-passwords.txt';
  if (!existsSync(join(dir, words))) copyFileSync(join(root, words), join(dir, words));
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
  return dir;
}

/** What a version to come may do to the schema of this one: a column in every table, a table, an index, and say so. */
async function expand(target: DatabaseTarget): Promise<void> {
  const db = await connect(target);
  const tables = await db.all<{ name: string }>(
    db.dialect === 'sqlite'
      ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
      : 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()',
  );
  const ours = tables.filter(({ name }) => !name.startsWith('schema_migrations'));
  assert.ok(ours.length > 10);
  for (const { name } of ours) await db.run(`ALTER TABLE ${name} ADD COLUMN later_note TEXT`);
  await db.run('CREATE TABLE later_things (id TEXT PRIMARY KEY, note TEXT NOT NULL)');
  await db.run('CREATE INDEX later_notes ON accounts (later_note)');
  await db.run("INSERT INTO schema_migrations (name, batch) VALUES ('9999_later', 9999)");
  await db.close();
}

async function restarted(instance: Issuer): Promise<void> {
  assert.equal(await instance.stop('SIGTERM'), 0);
  await instance.start();
  await pause(300);
}

export const proofs = [sqlite, postgres];
