/** What an error of SQLite means to whoever asked. */
import Sqlite from 'better-sqlite3';
import { OwnerGone, storageUnavailable, UniqueViolation } from './database.ts';

function codeOf(error: unknown): string {
  return error instanceof Sqlite.SqliteError ? error.code : '';
}

/** Another process holds the lock. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error));
}

const UNAVAILABLE = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN|PROTOCOL|NOMEM|CORRUPT|NOTADB)/;

/** As the callers know it: an error of ours where there is one for it. */
export function translate(error: unknown): unknown {
  const code = codeOf(error);
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') return new UniqueViolation(error);
  if (code === 'SQLITE_CONSTRAINT_FOREIGNKEY') return new OwnerGone(error);
  return UNAVAILABLE.test(code) ? storageUnavailable(error) : error;
}
