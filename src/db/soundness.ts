/** What only a look at the whole database shows: damage, and settings of the server that lose what was acknowledged. */
import { statSync } from 'node:fs';
import { type DatabaseTarget, damaged } from './connect.ts';
import type { Database } from './database.ts';

/** A larger file is not read whole at a start, which should be a matter of a second. */
const LARGEST_CHECKED = 64 * 1024 * 1024;

/** @returns sentences for the operator. @throws DatabaseFault when the file is damaged. */
export async function checkSoundness(database: Database, target: DatabaseTarget): Promise<string[]> {
  return database.dialect === 'sqlite' ? checkSqlite(database, target.file) : checkPostgres(database);
}

async function checkSqlite(database: Database, file: string): Promise<string[]> {
  if (statSync(file).size > LARGEST_CHECKED) return [];
  const found = await database
    .all<{ quick_check: string }>('PRAGMA quick_check(1)')
    .then((rows) => rows.map((row) => row.quick_check).join('; '))
    .catch((error: Error) => (error.cause instanceof Error ? error.cause.message : error.message));
  if (found === 'ok') return [];
  throw damaged(file, found);
}

/** @see https://www.postgresql.org/docs/current/runtime-config-wal.html */
async function checkPostgres(database: Database): Promise<string[]> {
  const rows = await database.all<{ name: string }>(
    "SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off' ORDER BY name",
  );
  return rows.map(
    ({ name }) =>
      `PostgreSQL runs with ${name}=off: a crash of its machine can lose what was acknowledged, revocations too. Set it to on.`,
  );
}
