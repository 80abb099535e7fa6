/**
 * Keeps a database of this version, and the program, for ever: `node bin/node.js test/support/freeze.ts v0.1.0` writes to
 * test/fixtures/v0.1.0 what test/upgrade.test.ts opens with every later version, and what proofs/versions.proof.ts runs
 * beside the next one. Run once a release, never again for it.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Database } from '../../src/db/database.ts';
import { root } from '../../src/places.ts';
import { startApp, type TestApp } from './app.ts';
import { PASSWORD, signedIn } from './flow.ts';
import { startPostgres } from './postgres.ts';

export const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));

export interface Facts {
  /** Milliseconds since 1970: tokens are judged as an hour after this. */
  at: number;
  /** What is true of each engine's data. */
  sqlite: Held;
  postgres: Held & { migrations: string[] };
}

/** A made-up person and what they hold. */
export interface Held {
  person: { email: string; name: string; password: string; id: string };
  apps: { client_id: string; client_secret?: string; refresh_token: string; access_token: string }[];
}

/** Writes latchkey.db.gz, secrets.json, postgres.json (rows by table) and facts.json. */
export async function freeze(into: string): Promise<void> {
  const cleaning: (() => unknown)[] = [];
  const t = { after: (work: () => unknown) => cleaning.unshift(work) } as unknown as TestContext;
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-freeze-'));
  mkdirSync(into, { recursive: true });
  try {
    const at = Date.now();
    const small = await startApp(t, { dataDir });
    const sqlite = await fill(small);
    await small.stop();
    writeFileSync(join(into, 'latchkey.db.gz'), gzipSync(readFileSync(join(dataDir, 'latchkey.db'))));
    cpSync(join(dataDir, 'secrets.json'), join(into, 'secrets.json'));

    const server = await startPostgres();
    cleaning.push(() => server.stop());
    const large = await startApp(t, { dataDir, env: { LATCHKEY_DATABASE_URL: await server.database() } });
    const postgres = await fill(large);
    const rows = await dump(large.services.db);
    const migrations = (rows['schema_migrations'] ?? []).map(({ name }) => String(name));
    delete rows['schema_migrations'];
    writeFileSync(join(into, 'postgres.json'), `${JSON.stringify(rows, null, 1)}\n`);
    const facts: Facts = { at, sqlite, postgres: { ...postgres, migrations } };
    writeFileSync(join(into, 'facts.json'), `${JSON.stringify(facts, null, 2)}\n`);
  } finally {
    for (const work of cleaning) await work();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function fill(app: TestApp): Promise<Held> {
  const given = { email: 'ada@example.com', name: 'Ada Lovelace', password: PASSWORD };
  const { id } = await app.services.accounts.create({ ...given, verified: true });
  const person = { ...given, id };
  const apps: Held['apps'] = [];
  for (const metadata of [{ token_endpoint_auth_method: 'none' }, {}]) {
    const client = await app.client(metadata);
    const { tokens } = await signedIn(app, { person, client });
    const secret = client.client_secret === undefined ? {} : { client_secret: client.client_secret };
    const held = { refresh_token: tokens.refresh_token as string, access_token: tokens.access_token };
    apps.push({ client_id: client.client_id, ...secret, ...held });
  }
  return { person, apps };
}

/** Every row of every table of PostgreSQL, in an order in which they can be put back. */
async function dump(db: Database): Promise<Record<string, Record<string, unknown>[]>> {
  const tables = await db.all<{ name: string }>(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name <> 'schema_migrations_lock' ORDER BY 1",
  );
  const rows: Record<string, Record<string, unknown>[]> = {};
  for (const { name } of tables) rows[name] = await db.all(`SELECT * FROM ${name}`);
  return rows;
}

/** The program without the list of common passwords, which is large and would be the same in each. */
function packProgram(into: string): void {
  const what = ['package.json', 'bin', 'src', 'views', 'migrations'];
  const flags = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--exclude=common-passwords.txt'];
  execFileSync('tar', ['-czf', join(into, 'program.tar.gz'), ...flags, '-C', root, ...what]);
}

const [version] = process.argv.slice(2);
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!/^v\d+\.\d+\.\d+$/.test(version ?? '')) throw new Error('say which version: freeze.ts v0.1.0');
  await freeze(join(FIXTURES, version as string));
  packProgram(join(FIXTURES, version as string));
}
