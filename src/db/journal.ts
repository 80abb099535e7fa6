/**
 * The write-ahead log of SQLite, and when it is on the disk. SQLite itself would wait for the disk in the thread that
 * answers everybody; here the system does it in another thread, on the same file, before anybody hears of the commit.
 */
import { closeSync, fdatasync, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { promisify } from 'node:util';
import type Sqlite from 'better-sqlite3';
import { storageUnavailable } from './database.ts';

const dataSync = promisify(fdatasync);
/** Between two looks at the names of the files. */
const LOOK_MS = 500;

export interface Journal {
  /**
   * Resolves when every commit made before the call is on the disk, also those of other processes. Rejects with
   * `storage_unavailable` as long as the device fails.
   */
  sync(): Promise<void>;
  /** The same where another process has committed since the last time, or the device failed; else nothing to wait for. */
  syncOthers(): Promise<void> | undefined;
  /**
   * Refuses when the database or its log was moved, removed or replaced: what is written to the open files then is in
   * nothing that the next start finds. Looks twice a second. @throws storage_unavailable
   */
  stand(): void;
  /** Ends when no sync is under way. */
  close(): Promise<void>;
}

/** @param filename of the database; `:memory:` has no log. */
export function openJournal(filename: string, connection: Sqlite.Database): Journal {
  if (connection.memory) {
    return { sync: async () => {}, syncOthers: () => undefined, stand() {}, close: async () => {} };
  }
  connection.prepare('SELECT count(*) FROM sqlite_master').get();
  // Locks are on other files: closing this one gives none of them up.
  const fd = openSync(`${filename}-wal`, 'r');
  const files: Array<[string, Stats]> = [
    [filename, statSync(filename)],
    [`${filename}-wal`, fstatSync(fd)],
  ];
  let lookedAt = performance.now();
  let strayed: string | undefined;
  const version = connection.prepare('PRAGMA data_version').pluck();
  let known = version.get();
  let others: Promise<void> | undefined;
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  /** What the system could not write, it forgets: after a fault only a checkpoint, which writes it anew, is believed. */
  let failed = false;

  /** One is under way, and at most one waits, for all who asked meanwhile; both hear of an error. */
  function sync(): Promise<void> {
    if (!next) {
      next = last.then(begin, begin);
      last = next;
    }
    return next;
  }

  function begin(): Promise<void> {
    next = undefined;
    return once();
  }

  async function once(): Promise<void> {
    try {
      if (!failed) await dataSync(fd);
    } catch {
      failed = true;
    }
    if (failed) checkpoint();
  }

  function checkpoint(): void {
    try {
      const [outcome] = connection.pragma('wal_checkpoint(TRUNCATE)') as [{ busy: number }];
      if (outcome.busy) throw new Error('another process keeps the log of the database from being written back');
      failed = false;
    } catch (error) {
      throw storageUnavailable(error);
    }
  }

  return {
    sync,
    syncOthers() {
      const now = version.get();
      if (now === known && !failed) return others;
      known = now;
      const synced = sync().finally(() => {
        if (others === synced) others = undefined;
      });
      others = synced;
      return synced;
    },
    stand() {
      const now = performance.now();
      if (now - lookedAt >= LOOK_MS) {
        lookedAt = now;
        strayed = files.find(([name, opened]) => !isStill(name, opened))?.[0];
      }
      if (strayed) throw storageUnavailable(new Error(`${strayed} was moved, removed or replaced while it was in use`));
    },
    async close() {
      await last.catch(() => {});
      closeSync(fd);
    },
  };
}

function isStill(name: string, opened: Stats): boolean {
  const found = statSync(name, { throwIfNoEntry: false });
  return found?.ino === opened.ino && found.dev === opened.dev;
}
