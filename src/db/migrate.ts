/**
 * Migrations by knex: forward only, one dialect-neutral file a change, named without an extension in the table.
 * Two processes that start at once take turns, and a migration that was killed half-way runs again: the lock is the
 * operating system's (SQLite) or the server's (PostgreSQL), so that it goes away with the process that held it.
 * Instances serve meanwhile: what uses a table is waited for, and does not make others wait.
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Knex } from 'knex';
import { DatabaseFault, type DatabaseTarget } from './connect.ts';
import type { Database } from './database.ts';

const TABLE = 'schema_migrations';
const ADVISORY_LOCK = 7_235_861;
const PATIENCE_MS = 60_000;
/** PostgreSQL: whoever comes for a table behind a change that waits for it waits, too. It stands back after so long. */
const STAND_BACK_MS = 1000;
/** PostgreSQL: between two statements of the change. Above it this process is gone or stands still, and with it would all
 * who want the tables that it has locked. */
const BETWEEN_MS = 5000;
const KEPT_ALIVE = { connectionTimeoutMillis: 3000, keepAlive: true, keepAliveInitialDelayMillis: 10_000 };

/** A schema that this version can't serve yet; the message is for the operator. */
export class SchemaFault extends Error {
  /** `EX_CONFIG` of sysexits.h. */
  readonly exitCode = 78;
}

/** Names of the migrations that `directory` has and the database does not, in order. */
export async function pendingMigrations(database: Database, directory: string): Promise<string[]> {
  const known = await appliedMigrations(database);
  return migrationNames(directory).filter((name) => !known.has(name));
}

/** Names of the migrations that the database has and `directory` does not: it belongs to a newer version. */
export async function unknownMigrations(database: Database, directory: string): Promise<string[]> {
  const known = new Set(migrationNames(directory));
  return [...(await appliedMigrations(database))].filter((name) => !known.has(name));
}

/** Empty in a database that no version of this program has made. */
export async function appliedMigrations(database: Database): Promise<Set<string>> {
  const exists =
    database.dialect === 'sqlite'
      ? await database.one("SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?", TABLE)
      : await database.one(
          'SELECT table_name AS name FROM information_schema.tables WHERE table_name = ? AND table_schema = current_schema()',
          TABLE,
        );
  return new Set(
    exists
      ? (await database.all<{ name: string }>(`SELECT name FROM ${TABLE} ORDER BY name`)).map((row) => row.name)
      : [],
  );
}

function migrationNames(directory: string): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => basename(file, '.ts'))
    .sort();
}

export interface MigrateOptions {
  /** How long others are waited for, in milliseconds; for tests. */
  patienceMs?: number;
}

/** Brings the database to the newest schema. Resolves with the names that were applied.
 * @throws DatabaseFault when another process migrates, or uses what is to be changed, and does not end. */
export async function migrate(
  target: DatabaseTarget,
  directory: string,
  { patienceMs = PATIENCE_MS }: MigrateOptions = {},
): Promise<string[]> {
  const { default: createKnex } = await import('knex');
  const knex = createKnex({
    ...(target.url
      ? {
          client: 'pg',
          connection: {
            ...{ connectionString: target.url, ...KEPT_ALIVE },
            ...{ lock_timeout: STAND_BACK_MS, idle_in_transaction_session_timeout: BETWEEN_MS },
          },
          pool: { min: 0, max: 2 },
        }
      : {
          client: 'better-sqlite3',
          connection: { filename: target.file },
          useNullAsDefault: true,
          pool: { min: 1, max: 1 },
        }),
    // What fails is thrown.
    log: { warn() {}, error() {}, debug() {}, deprecate() {} },
  });
  const release = target.url
    ? await lockPostgres(target.url, patienceMs)
    : await lockSqlite(`${target.file}.migrating`, patienceMs);
  try {
    const migrationSource: Knex.MigrationSource<string> = {
      getMigrations: async () => migrationNames(directory),
      getMigrationName: (name) => name,
      getMigration: (name) => import(pathToFileURL(join(directory, `${name}.ts`)).href),
    };
    const config: Knex.MigratorConfig = { migrationSource, tableName: TABLE };
    return await patiently(patienceMs, STAND_BACK_MS, isInUse, IN_USE, async () => {
      // Whoever set knex's own lock row is gone: ours is held by this process alone.
      await knex.migrate.currentVersion(config);
      await knex.migrate.forceFreeMigrationsLock(config);
      const [, applied] = (await knex.migrate.latest(config)) as [number, string[]];
      return applied;
    });
  } finally {
    await release();
    await knex.destroy();
  }
}

const IN_USE =
  'A table that this version changes has been in use for a minute, by a dump or by a transaction that somebody left open. Nothing was changed. Run "latchkey migrate" again when that has ended.';

/** Not granted in time, or a deadlock with a request. */
const isInUse = (error: unknown) => ['55P03', '40P01'].includes((error as { code?: string }).code ?? '');

/** Another process migrates. */
class Taken extends Error {}

async function lockPostgres(url: string, patienceMs: number): Promise<() => Promise<void>> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url, ...KEPT_ALIVE, query_timeout: 12_000 });
  // It would end the process; what is done meanwhile fails by itself.
  client.on('error', () => {});
  await client.connect();
  const taken =
    'Another process has been migrating this database for a minute. If it is gone, end its connection (pg_stat_activity, pg_terminate_backend), and run "latchkey migrate" again.';
  try {
    await patiently(
      patienceMs,
      100,
      (error) => error instanceof Taken,
      taken,
      async () => {
        const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS ours', [ADVISORY_LOCK]);
        if (!rows[0].ours) throw new Taken();
      },
    );
  } catch (error) {
    await client.end();
    throw error;
  }
  return () => client.end();
}

async function lockSqlite(file: string, patienceMs: number): Promise<() => Promise<void>> {
  const { default: Sqlite } = await import('better-sqlite3');
  const connection = new Sqlite(file, { timeout: 0 });
  const taken = 'Another process has been migrating this database for a minute.';
  await patiently(
    patienceMs,
    50,
    () => true,
    taken,
    async () => void connection.exec('BEGIN EXCLUSIVE'),
  );
  return async () => {
    connection.close();
  };
}

/** Does it, and again for as long as it meets others. */
async function patiently<Result>(
  patienceMs: number,
  pauseMs: number,
  metOthers: (error: unknown) => boolean,
  words: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!metOthers(error)) throw error;
      if (performance.now() > deadline) throw new DatabaseFault(words, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
