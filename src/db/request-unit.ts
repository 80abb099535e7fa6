/**
 * The writes of one request as one unit of work: statements whose result nobody waits for are kept until the request
 * asks the database for something else, or ends. Order stays as it was asked for: what comes next finds them done.
 * Knows no request; who answers one opens the unit and answers when it is committed.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Claim, Database, Engine } from './database.ts';
import { run, type Steps, type Unit, type Value } from './statement.ts';

interface Gathered {
  kept: (Claim | Unit<void>)[];
  /** The commit under way. */
  flushing: Promise<void> | undefined;
  /** A compare-and-swap is kept or on its way: whether the request has won is not known yet. */
  claiming: boolean;
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

  const isClean = (gathered: Gathered) => gathered.kept.length === 0 && !gathered.flushing;

  function flush(gathered: Gathered, store = storeAll): Promise<void> {
    const { kept, flushing } = gathered;
    if (kept.length === 0) return flushing ?? Promise.resolve();
    gathered.kept = [];
    // What is behind a claim is not done when the claim is lost.
    const stored = gathered.claiming && flushing ? flushing.then(() => store(kept)) : store(kept);
    const flushed = stored.catch((error: unknown) => {
      gathered.failure ??= { error };
      throw error;
    });
    const both = flushing ? Promise.all([flushing, flushed]).then(() => {}) : flushed;
    gathered.flushing = both;
    const done = () => {
      if (gathered.flushing !== both) return;
      gathered.flushing = undefined;
      gathered.claiming = gathered.kept.some((each) => typeof each === 'object' && each.lost);
    };
    both.then(done, done);
    return both;
  }

  async function storeAll(kept: Gathered['kept']): Promise<void> {
    const [only, another] = kept;
    if (another || typeof only !== 'object' || only.committed) {
      const plain = engine.batch && kept.every((each) => typeof each === 'object');
      return plain ? engine.batch?.(kept as Claim[]) : engine.write(() => all(kept));
    }
    const changed = await engine.run(only.sql, ...only.params);
    if (only.lost && changed === 0) throw only.lost();
  }

  /** SQLite takes both in one turn, in this order, with one commit. When what was kept fails, the unit is not done. */
  async function inOneTurn<Result>(gathered: Gathered, unit: Unit<Result>): Promise<Result> {
    let failure: { error: unknown } | undefined;
    const fail = (error: unknown) => {
      failure ??= { error };
    };
    const before = flush(gathered, (kept) => engine.write(() => telling(all(kept), fail)));
    // Of what failed before its turn.
    before.catch(fail);
    const behind = engine.write(function* () {
      if (failure) throw failure.error;
      return yield* unit();
    });
    const [, result] = await Promise.all([before, behind]);
    return result;
  }

  async function afterThose<Result>(gathered: Gathered, write: () => Promise<Result>): Promise<Result> {
    await flush(gathered);
    return write();
  }

  function ordered<Result>(write: () => Promise<Result>, unit: Unit<Result>): Promise<Result> {
    const gathered = current();
    if (!gathered || isClean(gathered)) return write();
    const together = engine.dialect === 'sqlite' && !gathered.claiming;
    return together ? inOneTurn(gathered, unit) : afterThose(gathered, write);
  }

  function read<Result>(look: () => Promise<Result>): Promise<Result> {
    const gathered = current();
    return !gathered || isClean(gathered) ? look() : flush(gathered).then(look);
  }

  return {
    dialect: engine.dialect,
    committed: engine,
    one: <Row>(sql: string, ...params: Value[]) => read(() => engine.one<Row>(sql, ...params)),
    all: <Row>(sql: string, ...params: Value[]) => read(() => engine.all<Row>(sql, ...params)),
    run: (sql, ...params) =>
      ordered(
        () => engine.run(sql, ...params),
        () => run(sql, ...params),
      ),
    write: <Result>(unit: Unit<Result>) => ordered(() => engine.write(unit), unit),

    async later(sql, ...params) {
      const gathered = current();
      if (gathered) gathered.kept.push({ sql, params });
      else await engine.run(sql, ...params);
    },

    async laterTelling(committed, sql, ...params) {
      const gathered = current();
      if (gathered) gathered.kept.push({ sql, params, committed });
      else await storeAll([{ sql, params, committed }]);
    },

    async laterUnit(unit) {
      const gathered = current();
      if (gathered) gathered.kept.push(unit);
      else await engine.write(unit);
    },

    async claim(lost, sql, ...params) {
      const gathered = current();
      const claimed = { sql, params, lost };
      if (!gathered) return storeAll([claimed]);
      gathered.kept.push(claimed);
      gathered.claiming = true;
    },

    async request<Result>(request: () => Promise<Result>): Promise<Result> {
      const gathered: Gathered = { kept: [], flushing: undefined, claiming: false, failure: undefined, ended: false };
      try {
        return await requests.run(gathered, request);
      } finally {
        const rest = isClean(gathered) ? engine.settled?.() : flush(gathered);
        gathered.ended = true;
        await rest?.catch((error: unknown) => {
          gathered.failure ??= { error };
        });
        // biome-ignore lint/correctness/noUnsafeFinally: what was not stored outweighs any answer
        if (gathered.failure) throw gathered.failure.error;
      }
    },

    close: engine.close,
  };
}

function* all(kept: Gathered['kept']): Steps<void> {
  for (const each of kept) {
    if (typeof each === 'function') yield* each();
    else if ((yield { ...each, want: 'run' }) === 0 && each.lost) throw each.lost();
  }
}

function* telling(steps: Steps<void>, fail: (error: unknown) => void): Steps<void> {
  try {
    yield* steps;
  } catch (error) {
    fail(error);
    throw error;
  }
}
