/** A migration that is killed half-way, and two that start at once. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect, type DatabaseTarget } from '../../src/db/connect.ts';
import { migrate, pendingMigrations } from '../../src/db/migrate.ts';
import { migrationsDir } from '../../src/places.ts';
import { startPostgres } from '../support/postgres.ts';
import { schemaOf } from '../support/schema.ts';
import { between, type Proof, pause } from './proof.ts';

const script = fileURLToPath(new URL('migrate-once.ts', import.meta.url));

type Fresh = () => Promise<DatabaseTarget>;

async function start(target: DatabaseTarget) {
  const child = spawn(process.execPath, [script, JSON.stringify(target)], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  return { child, ended };
}

async function whole(target: DatabaseTarget): Promise<string[]> {
  const db = await connect(target);
  try {
    assert.deepEqual(await pendingMigrations(db, migrationsDir), []);
    return await schemaOf(db);
  } finally {
    await db.close();
  }
}

async function killedAndContinued(fresh: Fresh, kills: number): Promise<string> {
  const model = await fresh();
  const untouched = await start(model);
  const started = performance.now();
  await untouched.ended;
  const takesMs = performance.now() - started;
  const wanted = await whole(model);
  let halfway = 0;
  // What is quicker than the model was is killed earlier, until one is met half-way.
  for (let n = 0, patience = takesMs; n < kills || (halfway === 0 && n < 10 * kills); n += 1) {
    const target = await fresh();
    const { child, ended } = await start(target);
    await pause(between(0, patience));
    child.kill('SIGKILL');
    const [code] = await ended;
    if (code === null) halfway += 1;
    else patience /= 2;
    await migrate(target, migrationsDir);
    assert.deepEqual(await whole(target), wanted);
  }
  assert.ok(halfway > 0, 'none was killed in time');
  const together = await fresh();
  const both = await Promise.all([start(together), start(together)]);
  for (const { ended } of both) assert.deepEqual((await ended)[0], 0);
  assert.deepEqual(await whole(together), wanted);
  return `${halfway} of ${kills} killed before their end, every one continued to the same schema; two at once took turns`;
}

const sqlite: Proof<{ kills: number }> = {
  fault: 'a migration killed half-way, SQLite',
  promise: 'the next start continues, two at once take turns, and the schema is that of a new database',
  few: { kills: 3 },
  full: { kills: 20 },
  run: (t, { kills }) => killedAndContinued(async () => ({ file: join(folder(t), 'latchkey.db') }), kills),
};

const postgres: Proof<{ kills: number }> = {
  ...sqlite,
  fault: 'a migration killed half-way, PostgreSQL',
  async run(t, { kills }) {
    const server = await startPostgres();
    t.after(() => server.stop());
    return killedAndContinued(async () => ({ url: await server.database(), file: '' }), kills);
  },
};

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-migration-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export const proofs = [sqlite, postgres];
