/**
 * The writes of one request as one unit of work: statements whose result nobody waits for are kept until the request
 * asks the database for something else, or ends. Order stays as it was asked for: what comes next finds them done.
 * Knows no request; who answers one opens the unit and answers when it is committed.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Database, Engine } from './database.ts';
import { run, type Statement, type Unit, type Value } from './statement.ts';

interface Gathered {
  statements: Statement[];
  /** The commit under way. */
  flushing: Promise<void> | undefined;
  failure: { error: unknown } | undefined;
  ended: boolean;
}

export function gatherWrites(engine: Engine): Database {
  const requests = new AsyncLocalStorage<Gathered>();

  /** The request under way, if it still gathers. */
  function current(): Gathered | undefined {
    const gathered = requests.getStore();
    return gathered?.ended ? undefined : gathered;
  }

  const isClean = (gathered: Gathered | undefined): gathered is undefined =>
    !gathered || (gathered.statements.length === 0 && !gathered.flushing);

  function flush(gathered: Gathered): Promise<void> {
    const { statements, flushing } = gathered;
    if (statements.length === 0) return flushing ?? Promise.resolve();
    gathered.statements = [];
    const flushed = engine
      .write(function* () {
        for (const { sql, params } of statements) yield* run(sql, ...params);
      })
      .catch((error: unknown) => {
        gathered.failure ??= { error };
        throw error;
      });
    const both = flushing ? Promise.all([flushing, flushed]).then(() => {}) : flushed;
    gathered.flushing = both;
    const done = () => {
      if (gathered.flushing === both) gathered.flushing = undefined;
    };
    both.then(done, done);
    return both;
  }

  async function afterThose<Result>(gathered: Gathered, work: () => Promise<Result>): Promise<Result> {
    const before = flush(gathered);
    if (engine.dialect === 'postgres') {
      await before;
      return work();
    }
    // SQLite takes both in one turn, in this order, with one commit.
    const [, result] = await Promise.all([before, work()]);
    return result;
  }

  function ordered<Result>(work: () => Promise<Result>): Promise<Result> {
    const gathered = current();
    return isClean(gathered) ? work() : afterThose(gathered, work);
  }

  function read<Result>(work: () => Promise<Result>): Promise<Result> {
    const gathered = current();
    return isClean(gathered) ? work() : flush(gathered).then(work);
  }

  return {
    dialect: engine.dialect,
    one: <Row>(sql: string, ...params: Value[]) => read(() => engine.one<Row>(sql, ...params)),
    all: <Row>(sql: string, ...params: Value[]) => read(() => engine.all<Row>(sql, ...params)),
    run: (sql, ...params) => ordered(() => engine.run(sql, ...params)),
    write: <Result>(unit: Unit<Result>) => ordered(() => engine.write(unit)),

    async later(sql, ...params) {
      const gathered = current();
      if (gathered) gathered.statements.push({ sql, params, want: 'run' });
      else await engine.run(sql, ...params);
    },

    async request<Result>(work: () => Promise<Result>): Promise<Result> {
      const gathered: Gathered = { statements: [], flushing: undefined, failure: undefined, ended: false };
      try {
        return await requests.run(gathered, work);
      } finally {
        const rest = flush(gathered).catch(() => {});
        gathered.ended = true;
        await rest;
        // biome-ignore lint/correctness/noUnsafeFinally: what was not stored outweighs any answer
        if (gathered.failure) throw gathered.failure.error;
      }
    },

    close: engine.close,
  };
}
