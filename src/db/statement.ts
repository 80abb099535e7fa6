/**
 * A unit of work is a generator that yields statements: SQLite drives it synchronously inside its group commit,
 * PostgreSQL drives the same body with awaits inside one transaction. So a rule that must be atomic is written once.
 */
export type Value = string | number | bigint | Buffer | null | undefined;

export interface Statement {
  readonly sql: string;
  readonly params: readonly Value[];
  /** `one`: first row or undefined; `all`: every row; `run`: the number of changed rows. */
  readonly want: 'one' | 'all' | 'run';
  /** Called once when the unit is committed, where the database is observed. Must not throw. */
  readonly committed?: (() => void) | undefined;
}

export type Steps<Result> = Generator<Statement, Result, unknown>;
export type Unit<Result> = () => Steps<Result>;

/** The first row, or undefined. Placeholders are `?` on both engines. */
export function* one<Row>(sql: string, ...params: Value[]): Steps<Row | undefined> {
  return (yield { sql, params, want: 'one' }) as Row | undefined;
}

/** Every row. */
export function* all<Row>(sql: string, ...params: Value[]): Steps<Row[]> {
  return (yield { sql, params, want: 'all' }) as Row[];
}

/** The number of rows that the statement changed. */
export function* run(sql: string, ...params: Value[]): Steps<number> {
  return (yield { sql, params, want: 'run' }) as number;
}

/** One statement that also tells of its commit. */
export function* afterCommit<Result>(steps: Steps<Result>, committed: () => void): Steps<Result> {
  const { done, value } = steps.next();
  if (done) return value;
  const answer = yield { ...value, committed };
  return steps.next(answer).value as Result;
}
