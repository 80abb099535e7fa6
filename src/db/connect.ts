/** Opens the configured database, or says in one sentence within seconds why that does not work. */
import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isCertificateFault } from './certificate.ts';
import type { Database } from './database.ts';
import type { DatabaseObserver } from './observed.ts';

export interface DatabaseTarget {
  /** `postgres://…`, or unset for SQLite. */
  url?: string | undefined;
  /** The SQLite file, used when `url` is unset. */
  file: string;
  /** Refuse when there is no SQLite file yet, instead of making one. */
  mustExist?: boolean;
  /** Hears how long everything takes. */
  observe?: DatabaseObserver | undefined;
  /** Nobody is served: a statement may take as long as it needs on PostgreSQL, and a unit a gigabyte of memory on SQLite. */
  patient?: boolean | undefined;
}

/** A database that can't be opened; the message is a sentence for the operator. */
export class DatabaseFault extends Error {}

/** @throws DatabaseFault when the driver does not load, the server does not answer or the file is no database. */
export async function connect(target: DatabaseTarget): Promise<Database> {
  return target.url ? connectPostgres(target.url, target) : connectSqlite(target);
}

async function connectPostgres(url: string, options: Pick<DatabaseTarget, 'observe' | 'patient'>): Promise<Database> {
  const { openPostgres } = await import('./postgres.ts');
  const database = openPostgres(url, options);
  const { host } = new URL(url);
  try {
    await database.one('SELECT 1 AS up');
  } catch (error) {
    await database.close().catch(() => {});
    const said = reason(error);
    if (isCertificateFault(new Error(said))) {
      throw new DatabaseFault(
        `The certificate of PostgreSQL at ${host} is refused (${said}). Its name must be the host of LATCHKEY_DATABASE_URL; a private authority is named there by sslrootcert=FILE.`,
        { cause: error },
      );
    }
    throw new DatabaseFault(
      `PostgreSQL at ${host} does not answer (${said}). Check LATCHKEY_DATABASE_URL, the server and its access rules.`,
      { cause: error },
    );
  }
  return database;
}

async function connectSqlite({ file, mustExist = false, ...options }: DatabaseTarget): Promise<Database> {
  if (mustExist && (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) {
    throw new DatabaseFault(
      `There is no database at ${file}. For a new installation run "latchkey migrate", which makes it; otherwise check LATCHKEY_DATA_DIR and the disk that it is on, or restore a backup.`,
    );
  }
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // Made for its owner alone; the files that SQLite lays beside it take its mode.
    closeSync(openSync(file, 'a', 0o600));
    const { openSqlite } = await import('./sqlite.ts');
    return openSqlite(file, options);
  } catch (error) {
    if (isDamage(error)) throw damaged(file, reason(error), error);
    throw new DatabaseFault(
      `The database ${file} can't be opened (${reason(error)}). Check that the file is a SQLite database, that its folder exists and that this user may write both.`,
      { cause: error },
    );
  }
}

/** What a start, or the check at it, found. */
export function damaged(file: string, said: string, cause?: unknown): DatabaseFault {
  return new DatabaseFault(
    `The database ${file} is damaged (${said.replaceAll('\n', ' ')}). Restore a backup of it; keep the damaged file, "sqlite3 ${file} .recover" may get more out of it.`,
    { cause },
  );
}

function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(String((error as { code?: unknown } | null)?.code));
}

function reason(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (inner instanceof AggregateError) return inner.errors.map((each) => (each as Error).message).join('; ');
  return inner instanceof Error ? inner.message : String(inner);
}
