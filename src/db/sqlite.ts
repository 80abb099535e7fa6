/**
 * SQLite by better-sqlite3: one connection that writes, prepared statements, and a group commit: the units that one
 * turn of the event loop asks for share one transaction, each as a savepoint, and every caller waits until it is on
 * the disk. The disk is waited for in a thread of its own; what is asked for meanwhile is the next transaction.
 */
import { freemem } from 'node:os';
import Sqlite from 'better-sqlite3';
import { type Database, drive, type Engine, storageUnavailable } from './database.ts';
import { openJournal } from './journal.ts';
import { type DatabaseObserver, observedWrites } from './observed.ts';
import { gatherWrites } from './request-unit.ts';
import { isBusy, translate } from './sqlite-errors.ts';
import type { Statement, Unit, Value } from './statement.ts';

/** How long the event loop may stand still for another process's lock; longer waits happen outside of it. */
const BUSY_TIMEOUT_MS = 20;
/** How long a unit may wait for another process's lock before its caller is told to come again. */
const PATIENCE_MS = 1500;
const STATEMENT_CACHE = 500;
const CACHE_KIB = 32 * 1024;
/** A page that does not fit is written to the log and read again for nearly every row of a unit that changes them all. */
const LARGE_CACHE_KIB = 1024 * 1024;

interface Waiting {
  /** A statement alone needs no savepoint: SQLite undoes it by itself when it fails. */
  unit: Unit<unknown> | Statement;
  since: number;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** `patient`: nobody is served, and a unit as large as the database may have memory for it. */
type SqliteOptions = { observe?: DatabaseObserver | undefined; patient?: boolean | undefined };

type Outcome = { ok: true; value: unknown } | { ok: false; error: unknown };

/** Opens the file (made when absent) with settings that are asserted, not hoped for. Throws when the file is no database
 * or can't be opened. */
export function openSqlite(filename: string, { observe, patient = false }: SqliteOptions = {}): Database {
  const connection = new Sqlite(filename, { timeout: BUSY_TIMEOUT_MS });
  configure(connection, patient ? Math.max(CACHE_KIB, Math.min(LARGE_CACHE_KIB, freemem() / 2048)) : CACHE_KIB);
  const journal = openJournal(filename, connection);
  const statements = new Map<string, Sqlite.Statement>();
  const [begin, commit, savepoint, release] = ['BEGIN IMMEDIATE', 'COMMIT', 'SAVEPOINT unit', 'RELEASE unit'].map(
    (sql) => connection.prepare(sql),
  ) as [Sqlite.Statement, Sqlite.Statement, Sqlite.Statement, Sqlite.Statement];
  let queue: Waiting[] = [];
  let scheduled = false;
  let closed = false;
  /** The wait for the disk under way. */
  let syncing: Promise<void> | undefined;

  function prepare(sql: string): Sqlite.Statement {
    let statement = statements.get(sql);
    if (!statement) {
      statement = connection.prepare(sql);
      if (statements.size >= STATEMENT_CACHE) statements.delete(statements.keys().next().value as string);
      statements.set(sql, statement);
    }
    return statement;
  }

  function execute({ sql, params, want }: Statement): unknown {
    if (closed) throw storageUnavailable(new Error('the database is closed'));
    try {
      const statement = prepare(sql);
      const values = params.includes(undefined) ? params.map(plain) : params;
      if (want === 'one') return statement.get(...values);
      if (want === 'all') return statement.all(...values);
      return statement.run(...values).changes;
    } catch (error) {
      throw translate(error);
    }
  }

  function read<Result>(want: 'one' | 'all', sql: string, params: readonly Value[]): Promise<Result> {
    const startedAt = observe && performance.now();
    try {
      return Promise.resolve(execute({ sql, params, want }) as Result);
    } catch (error) {
      return Promise.reject(error);
    } finally {
      if (startedAt !== undefined) observe?.('read', (performance.now() - startedAt) / 1000);
    }
  }

  function later(ms: number): void {
    scheduled = true;
    if (ms > 0) setTimeout(flush, ms);
    else setImmediate(flush);
  }

  /** Writes what waits at the end of this turn, or once the disk has what was written before. */
  function schedule(): void {
    if (!scheduled && !syncing && queue.length > 0) later(0);
  }

  function flush(): void {
    scheduled = false;
    if (queue.length === 0) return;
    const batch = queue;
    queue = [];
    try {
      journal.stand();
      begin.run();
    } catch (error) {
      postpone(batch, error);
      return;
    }
    try {
      const outcomes = runAll(batch);
      commit.run();
      syncing = journal.sync();
      keep(batch, outcomes, syncing).then(() => {
        syncing = undefined;
        schedule();
      });
    } catch (error) {
      abandon();
      for (const waiting of batch) waiting.reject(translate(error));
    }
  }

  /** Nobody hears of a commit before it is on the disk. */
  async function keep(batch: Waiting[], outcomes: Outcome[], synced: Promise<void>): Promise<void> {
    try {
      await synced;
      for (const [index, waiting] of batch.entries()) settle(waiting, outcomes[index] as Outcome);
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
  }

  /** @throws what ended the transaction as a whole (a full disk, an error of the device): then nobody's unit is done,
   * and no unit behind it may begin, for it would commit alone. */
  function runAll(batch: Waiting[]): Outcome[] {
    return batch.map(({ unit }) => {
      const outcome = runUnit(unit);
      if (!connection.inTransaction) throw outcome.ok ? new Error('the transaction ended early') : outcome.error;
      return outcome;
    });
  }

  function settle(waiting: Waiting, outcome: Outcome): void {
    if (outcome.ok) waiting.resolve(outcome.value);
    else waiting.reject(outcome.error);
  }

  /** The device may refuse even this; SQLite then rolls back by itself, at the latest at the next start. */
  function abandon(): void {
    try {
      if (connection.inTransaction) connection.exec('ROLLBACK');
    } catch {
      // The error that led here is the one to be told.
    }
  }

  /** Another process holds the lock: wait outside the event loop's way, and give up on those who waited long. */
  function postpone(batch: Waiting[], error: unknown): void {
    const now = performance.now();
    const patient = isBusy(error) ? batch.filter((waiting) => now - waiting.since < PATIENCE_MS) : [];
    for (const waiting of batch) if (!patient.includes(waiting)) waiting.reject(translate(error));
    queue = patient.concat(queue);
    if (queue.length > 0 && !scheduled) later(10 + Math.random() * 20);
  }

  function runUnit(unit: Waiting['unit']): Outcome {
    if (typeof unit !== 'function') return attempt(() => execute(unit));
    savepoint.run();
    try {
      const value = drive(unit(), execute);
      release.run();
      return { ok: true, value };
    } catch (error) {
      if (connection.inTransaction) connection.exec('ROLLBACK TO unit; RELEASE unit');
      return { ok: false, error };
    }
  }

  function write<Result>(unit: Unit<Result> | Statement): Promise<Result> {
    if (closed) return Promise.reject(storageUnavailable(new Error('the database is closed')));
    return new Promise<Result>((resolve, reject) => {
      queue.push({ unit, since: performance.now(), resolve: resolve as (value: unknown) => void, reject });
      schedule();
    });
  }

  const engine: Engine = {
    dialect: 'sqlite',
    one: (sql, ...params) => read('one', sql, params),
    all: (sql, ...params) => read('all', sql, params),
    run: (sql, ...params) => write<number>({ sql, params, want: 'run' }),
    write,
    settled() {
      if (closed) return undefined;
      try {
        const others = journal.syncOthers();
        return syncing && others ? Promise.all([syncing, others]).then(() => {}) : (syncing ?? others);
      } catch (error) {
        return Promise.reject(translate(error));
      }
    },
    async close() {
      if (closed) return;
      while (queue.length > 0 || syncing) await (syncing?.catch(() => {}) ?? pause());
      closed = true;
      await journal.close();
      try {
        connection.pragma('wal_checkpoint(TRUNCATE)');
      } catch {
        // What is committed is safe in the log beside the file, and the next start reads it from there.
      }
      connection.close();
    },
  };
  return gatherWrites(observe ? observedWrites(engine, observe) : engine);
}

function attempt(work: () => unknown): Outcome {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    return { ok: false, error };
  }
}

/** `synchronous=NORMAL` keeps the file sound; that a commit is on the disk before it is told is the journal's part. */
function configure(connection: Sqlite.Database, cacheKib: number): void {
  connection.pragma('journal_mode = WAL');
  connection.pragma('synchronous = NORMAL');
  connection.pragma('foreign_keys = ON');
  connection.pragma('trusted_schema = OFF');
  connection.pragma('wal_autocheckpoint = 4000');
  connection.pragma(`cache_size = -${Math.floor(cacheKib)}`);
  const journal = connection.pragma('journal_mode', { simple: true });
  const synchronous = connection.pragma('synchronous', { simple: true });
  const foreignKeys = connection.pragma('foreign_keys', { simple: true });
  if ((journal !== 'wal' && journal !== 'memory') || synchronous !== 1 || foreignKeys !== 1) {
    throw new Error(
      `SQLite did not take its settings (journal ${journal}, synchronous ${synchronous}, foreign keys ${foreignKeys})`,
    );
  }
}

const pause = () => new Promise<void>((resolve) => setImmediate(resolve));

function plain(value: Value): string | number | bigint | Buffer | null {
  return value === undefined ? null : value;
}
