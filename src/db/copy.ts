/**
 * Copies of the SQLite file: made while others write to it, checked, and put under their name whole or not at all.
 * The file that is copied is only read.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseFault } from './connect.ts';

/** One slice of the copy, 1 MiB: the disk is for others, too. */
const PAGES = 256;
/** What SQLite may lay beside a database. */
export const BESIDE = ['-wal', '-shm', '-journal'];

/**
 * Copies `file` into the new file `to`, as it is at this moment: whatever was acknowledged before is in the copy, and
 * whatever comes later is not. It belongs to its owner alone, and needs no file beside it.
 * @throws DatabaseFault for what can't be read or written, and when the copy is damaged.
 */
export async function copyOnline(file: string, to: string): Promise<void> {
  try {
    closeSync(openSync(to, 'wx', 0o600));
    const { default: Sqlite } = await import('better-sqlite3');
    const source = new Sqlite(file, { fileMustExist: true, timeout: 5000 });
    try {
      source.pragma('query_only = ON');
      // A read transaction keeps the moment. Without one every write of another process begins the copy anew.
      source.exec('BEGIN');
      source.prepare('SELECT count(*) FROM sqlite_master').get();
      await source.backup(to, { progress: () => PAGES });
      source.exec('COMMIT');
    } finally {
      source.close();
    }
  } catch (error) {
    throw new DatabaseFault(`The database ${file} can't be copied to ${to} (${(error as Error).message}).`, {
      cause: error,
    });
  }
  await makeWhole(to);
}

/** Copies a backup, with the log beside it when somebody copied that, too, into the new file `to`.
 * @throws DatabaseFault as `copyOnline`. */
export async function copyBackup(backup: string, to: string): Promise<void> {
  if (!statSync(backup, { throwIfNoEntry: false })?.isFile()) throw new DatabaseFault(`There is no file ${backup}.`);
  try {
    closeSync(openSync(to, 'wx', 0o600));
    copyFileSync(backup, to, constants.COPYFILE_FICLONE);
    if (existsSync(`${backup}-wal`)) copyFileSync(`${backup}-wal`, `${to}-wal`);
  } catch (error) {
    throw new DatabaseFault(`The backup ${backup} can't be copied to ${to} (${(error as Error).message}).`, {
      cause: error,
    });
  }
  await makeWhole(to);
}

/** Leaves one file, which is sound. */
async function makeWhole(file: string): Promise<void> {
  const { default: Sqlite } = await import('better-sqlite3');
  let found: unknown;
  try {
    const copy = new Sqlite(file);
    try {
      copy.pragma('journal_mode = DELETE');
      found = copy.pragma('integrity_check(1)', { simple: true });
    } finally {
      copy.close();
    }
  } catch (error) {
    found = (error as Error).message;
  }
  if (found !== 'ok') throw new DatabaseFault(`The copy ${file} is damaged (${String(found).replaceAll('\n', ' ')}).`);
}

/**
 * Puts a finished file under its name, on the disk before the name is, and never in the place of another.
 * @returns false when the name is taken.
 */
export function publish(file: string, name: string): boolean {
  sync(file);
  try {
    linkSync(file, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new DatabaseFault(`${name} can't be written (${(error as Error).message}).`, { cause: error });
  }
  sync(dirname(name));
  rmSync(file);
  return true;
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Whether another process has the file open. SQLite leaves its write-ahead log only when nobody else is there. */
export async function isOpenElsewhere(file: string): Promise<boolean> {
  const { default: Sqlite } = await import('better-sqlite3');
  const connection = new Sqlite(file, { fileMustExist: true, timeout: 0 });
  try {
    connection.pragma('journal_mode = DELETE');
    return false;
  } catch (error) {
    if (/^SQLITE_(BUSY|LOCKED)/.test((error as { code?: string }).code ?? '')) return true;
    throw new DatabaseFault(`The database ${file} can't be opened (${(error as Error).message}).`, { cause: error });
  } finally {
    connection.close();
  }
}
