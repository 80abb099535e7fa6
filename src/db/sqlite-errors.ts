/** What better-sqlite3 throws, in our words. */
import Sqlite from 'better-sqlite3';
import { storageUnavailable, UniqueViolation } from './database.ts';

function codeOf(error: unknown): string {
  return error instanceof Sqlite.SqliteError ? error.code : '';
}

/** Another process holds the lock. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error));
}

const UNAVAILABLE = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|READONLY|CANTOPEN|PROTOCOL|NOMEM|CORRUPT|NOTADB)/;

/** A failure in the words that stores know; anything else as it is. */
export function translate(error: unknown): unknown {
  const code = codeOf(error);
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') return new UniqueViolation(error);
  return UNAVAILABLE.test(code) ? storageUnavailable(error) : error;
}
