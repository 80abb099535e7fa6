/** What a store may ask of a database, whichever engine is behind it. */
import { AppError } from '../errors.ts';
import type { Steps, Unit, Value } from './statement.ts';

/** What a driver offers. */
export interface Engine {
  readonly dialect: 'sqlite' | 'postgres';
  /** Reads committed rows. On PostgreSQL one that takes long holds up others that were asked for in the same moment. */
  one<Row>(sql: string, ...params: Value[]): Promise<Row | undefined>;
  /** The same, alone. */
  all<Row>(sql: string, ...params: Value[]): Promise<Row[]>;
  /** One writing statement as a unit of its own; resolves after the commit with the number of changed rows. */
  run(sql: string, ...params: Value[]): Promise<number>;
  /**
   * Runs the unit atomically and resolves with its result after the commit. What the unit throws undoes it whole.
   * The body may run again from its start after a serialisation failure: keep side effects out of it.
   */
  write<Result>(unit: Unit<Result>): Promise<Result>;
  /** As `write`, for statements that need no answer of each other: sent together where that saves round trips. */
  batch?(statements: readonly Claim[]): Promise<void>;
  /** Resolves when all that can be read now is on the disk; absent, or nothing to wait for, when it is already. */
  settled?(): Promise<void> | undefined;
  close(): Promise<void>;
}

/** A writing statement, the error of one that must change a row, and what is called once it is committed, where the
 * database is observed. */
export interface Claim {
  sql: string;
  params: readonly Value[];
  lost?: () => Error;
  committed?: (() => void) | undefined;
}

export interface Database extends Engine {
  /**
   * As `run`, for a statement whose result nobody needs. Inside a request it is kept and done together with the
   * request's other writes; whatever the request asks the database for next finds it done.
   */
  later(sql: string, ...params: Value[]): Promise<void>;
  /** The same for a statement that tells of its commit. */
  laterTelling(committed: (() => void) | undefined, sql: string, ...params: Value[]): Promise<void>;
  /** The same for a unit of work, which is then a part of the request's. */
  laterUnit(unit: Unit<void>): Promise<void>;
  /**
   * The same for a compare-and-swap that the request takes for won: when it changes no row, nothing of what is kept
   * with it is done, and what waits for it, at the latest the request, rejects with what `lost` makes.
   */
  claim(lost: () => Error, sql: string, ...params: Value[]): Promise<void>;
  /** Reads rows of which the request under way keeps nothing, without waiting for what it keeps of others. */
  readonly committed: Pick<Engine, 'one' | 'all'>;
  /** Runs the work as one request: resolves when what it kept is committed, and rejects when that failed. */
  request<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** A row with this unique value exists already. */
export class UniqueViolation extends Error {
  constructor(cause: unknown) {
    super('a row with this unique value exists already', { cause });
    this.name = 'UniqueViolation';
  }
}

/** The row that a new one belongs to was removed meanwhile: a refusal, which a request under way may meet. */
export class OwnerGone extends AppError {
  constructor(cause: unknown) {
    super('conflict', { message: 'What this belongs to was removed meanwhile.', cause });
    this.name = 'OwnerGone';
  }
}

/** The words for a store that does not answer now; the whole cause goes to the log, not to the caller. */
export function storageUnavailable(cause: unknown): AppError {
  return new AppError('storage_unavailable', {
    message: 'The data store does not answer at the moment. Try again in a moment.',
    retryAfter: 1,
    cause,
  });
}

/** Drives a unit synchronously; `execute` answers each statement at once. */
export function drive<Result>(steps: Steps<Result>, execute: (statement: StatementOf<Result>) => unknown): Result {
  let step = steps.next();
  while (!step.done) {
    let answer: unknown;
    try {
      answer = execute(step.value);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(answer);
  }
  return step.value;
}

/** Drives a unit with awaits. */
export async function driveAsync<Result>(
  steps: Steps<Result>,
  execute: (statement: StatementOf<Result>) => Promise<unknown>,
): Promise<Result> {
  let step = steps.next();
  while (!step.done) {
    let answer: unknown;
    try {
      answer = await execute(step.value);
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next(answer);
  }
  return step.value;
}

type StatementOf<Result> = Steps<Result> extends Generator<infer S, unknown, unknown> ? S : never;
