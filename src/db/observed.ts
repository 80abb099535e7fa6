/** An engine whose durations are told, and whose statements may say what to do once they are committed. */
import type { Engine } from './database.ts';
import type { Statement, Steps, Unit, Value } from './statement.ts';

/** Of one read, one writing statement or one unit with its wait for the commit; failed ones count, too. */
export type DatabaseObserver = (operation: 'read' | 'write', seconds: number) => void;

export function observed(engine: Engine, observe: DatabaseObserver): Engine {
  return {
    ...observedWrites(engine, observe),
    one: <Row>(sql: string, ...params: Value[]) => timed(observe, 'read', () => engine.one<Row>(sql, ...params)),
    all: <Row>(sql: string, ...params: Value[]) => timed(observe, 'read', () => engine.all<Row>(sql, ...params)),
  };
}

function timed<Result>(observe: DatabaseObserver, operation: 'read' | 'write', work: () => Promise<Result>) {
  const startedAt = performance.now();
  const told = () => observe(operation, (performance.now() - startedAt) / 1000);
  const result = work();
  result.then(told, told);
  return result;
}

/** For an engine that tells the durations of its reads by itself. */
export function observedWrites(engine: Engine, observe: DatabaseObserver): Engine {
  const { batch } = engine;

  async function write<Result>(unit: Unit<Result>): Promise<Result> {
    let done: Statement[] = [];
    const result = await engine.write(() => {
      // A body that runs again starts anew.
      done = [];
      return listened(unit(), done);
    });
    for (const statement of done) statement.committed?.();
    return result;
  }

  return {
    ...engine,
    run: (sql, ...params) => timed(observe, 'write', () => engine.run(sql, ...params)),
    write: (unit) => timed(observe, 'write', () => write(unit)),
    ...(batch && {
      async batch(statements) {
        await timed(observe, 'write', () => batch(statements));
        for (const { committed } of statements) committed?.();
      },
    }),
  };
}

/** The same steps; those that succeeded and wait for the commit are put into `done`. */
function* listened<Result>(steps: Steps<Result>, done: Statement[]): Steps<Result> {
  let step = steps.next();
  while (!step.done) {
    let answer: unknown;
    try {
      answer = yield step.value;
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    if (step.value.committed) done.push(step.value);
    step = steps.next(answer);
  }
  return step.value;
}
