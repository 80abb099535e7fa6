/**
 * Migrations by knex: forward only, one dialect-neutral file a change, named without an extension in the table.
 * Two processes that start at once take turns, and a migration that was killed half-way runs again: the lock is the
 * operating system's (SQLite) or the server's (PostgreSQL), so that it goes away with the process that held it.
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Knex } from 'knex';
import type { DatabaseTarget } from './connect.ts';
import type { Database } from './database.ts';

const TABLE = 'schema_migrations';
const ADVISORY_LOCK = 7_235_861;
const LOCK_PATIENCE_MS = 60_000;

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

/** Brings the database to the newest schema. Resolves with the names that were applied. */
export async function migrate(target: DatabaseTarget, directory: string): Promise<string[]> {
  const { default: createKnex } = await import('knex');
  const knex = createKnex(
    target.url
      ? {
          client: 'pg',
          connection: { connectionString: target.url, connectionTimeoutMillis: 3000 },
          pool: { min: 0, max: 2 },
        }
      : {
          client: 'better-sqlite3',
          connection: { filename: target.file },
          useNullAsDefault: true,
          pool: { min: 1, max: 1 },
        },
  );
  const release = target.url ? await lockPostgres(target.url) : await lockSqlite(`${target.file}.migrating`);
  try {
    const migrationSource: Knex.MigrationSource<string> = {
      getMigrations: async () => migrationNames(directory),
      getMigrationName: (name) => name,
      getMigration: (name) => import(pathToFileURL(join(directory, `${name}.ts`)).href),
    };
    const config: Knex.MigratorConfig = { migrationSource, tableName: TABLE };
    // Whoever set knex's own lock row is gone: ours is held by this process alone.
    await knex.migrate.currentVersion(config);
    await knex.migrate.forceFreeMigrationsLock(config);
    const [, applied] = (await knex.migrate.latest(config)) as [number, string[]];
    return applied;
  } finally {
    await release();
    await knex.destroy();
  }
}

async function lockPostgres(url: string): Promise<() => Promise<void>> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000 });
  await client.connect();
  await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK]);
  return () => client.end();
}

async function lockSqlite(file: string): Promise<() => Promise<void>> {
  const { default: Sqlite } = await import('better-sqlite3');
  const connection = new Sqlite(file, { timeout: 0 });
  const deadline = Date.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      connection.exec('BEGIN EXCLUSIVE');
      return async () => {
        connection.close();
      };
    } catch (error) {
      if (Date.now() > deadline)
        throw new Error('another process has been migrating this database for a minute', { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
