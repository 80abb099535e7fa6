/**
 * PostgreSQL by a pool of the pg driver: a unit of work is one transaction, statements are prepared by name on each
 * connection. Wide integers come back as numbers; every time column holds milliseconds, far below 2^53.
 */
import { createHash } from 'node:crypto';
import pg from 'pg';
import { AppError } from '../errors.ts';
import {
  type Claim,
  type Database,
  driveAsync,
  type Engine,
  OwnerGone,
  storageUnavailable,
  UniqueViolation,
} from './database.ts';
import { type DatabaseObserver, observed } from './observed.ts';
import { createReads } from './postgres-reads.ts';
import { sendTogether, TogetherFailed } from './postgres-together.ts';
import { gatherWrites } from './request-unit.ts';
import type { Statement, Unit, Value } from './statement.ts';

const INT8 = 20;
const ATTEMPTS = 4;
/** The server gives up on a statement by itself. */
const STATEMENT_MS = 10_000;
/** Above it only a server that is gone or frozen is silent: its connection is destroyed, and the pool makes another. */
const SILENCE_MS = 12_000;
/** Whoever asks for a connection waits so long for one. */
const POOL_MS = 3_000;
/** Between two statements of a transaction. Above it the instance is gone or stands still; what it locked is let go. Below
 * `POOL_MS`: those who wait for that lock may have every connection, and those who wait for one of theirs get it in time. */
const BETWEEN_MS = 2_000;

const BOUNDS = {
  statement_timeout: STATEMENT_MS,
  query_timeout: SILENCE_MS,
  idle_in_transaction_session_timeout: BETWEEN_MS,
};

const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === INT8 && format !== 'binary') return Number;
    return pg.types.getTypeParser(oid as never, format as never);
  },
};

export interface PostgresOptions {
  max?: number;
  observe?: DatabaseObserver | undefined;
  /** Every statement may take as long as it needs: nobody is served meanwhile. */
  patient?: boolean | undefined;
}

/** Opens a pool of at most `max` connections. The caller checks with `one('SELECT 1')` that the server answers. */
export function openPostgres(url: string, { max = 10, observe, patient = false }: PostgresOptions = {}): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: POOL_MS,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(patient ? {} : BOUNDS),
    application_name: 'latchkey',
    types: types as never,
    // What is asked for without waiting is sent without waiting (`createReads`).
    pipeline: true,
  } as pg.PoolConfig);
  // An idle connection that the server drops is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  // The same for a connection that is lent out: its query fails and is told to the caller.
  pool.on('connect', (client) => client.on('error', () => {}));
  const prepared = new Map<string, { name: string; text: string }>();
  let generation = 0;

  function prepare(sql: string): { name: string; text: string } {
    let query = prepared.get(sql);
    if (!query) {
      let n = 0;
      const text = sql.replace(/\?/g, () => `$${++n}`);
      query = { name: `${createHash('sha256').update(text).digest('hex').slice(0, 24)}.${generation}`, text };
      prepared.set(sql, query);
    }
    return query;
  }

  async function execute(client: pg.Pool | pg.PoolClient, { sql, params, want }: Statement): Promise<unknown> {
    const query = prepare(sql);
    try {
      const result = await client.query({ ...query, values: params.map((value) => value ?? null) });
      if (want === 'one') return result.rows[0];
      return want === 'all' ? result.rows : (result.rowCount ?? 0);
    } catch (error) {
      throw failed(error, query);
    }
  }

  function failed(error: unknown, query: { name: string } | undefined): unknown {
    if (isOutOfDate(error) && query?.name.endsWith(`.${generation}`)) {
      prepared.clear();
      generation += 1;
    }
    return translate(error);
  }

  async function connect(): Promise<pg.PoolClient> {
    try {
      return await pool.connect();
    } catch (error) {
      throw storageUnavailable(error);
    }
  }

  async function once<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const client = await connect();
    let broken: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch((cause: Error) => {
        broken = cause;
      });
      throw translate(error);
    } finally {
      client.release(broken);
    }
  }

  const write = <Result>(unit: Unit<Result>): Promise<Result> =>
    again(() => once((client) => driveAsync(unit(), (statement) => execute(client, statement))));

  /** All in one round trip. */
  async function together(statements: readonly Claim[]): Promise<void> {
    const queries = statements.map(({ sql, params, lost }) => ({ ...prepare(lost ? mustChange(sql) : sql), params }));
    const client = await connect();
    let broken: Error | undefined;
    try {
      await sendTogether(client, queries);
    } catch (error) {
      if (!(error instanceof TogetherFailed)) throw error;
      const { index, cause, unsure } = error;
      const { lost } = statements[index] ?? {};
      const told = lost && isDivisionByZero(cause) ? lost() : failed(cause, queries[index]);
      if (unsure || isUnavailable(told)) broken = error;
      throw told;
    } finally {
      client.release(broken);
    }
  }

  async function again<Result>(work: () => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Contention) || attempt === ATTEMPTS) {
          throw error instanceof Contention ? storageUnavailable(error.cause) : error;
        }
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10 * attempt));
      }
    }
  }

  const read = createReads<Statement>({ connect, ask: execute, isBroken: isUnavailable });

  const engine: Engine = {
    dialect: 'postgres',
    one: <Row>(sql: string, ...params: Value[]) =>
      again(() => read({ sql, params, want: 'one' }) as Promise<Row | undefined>),
    all: <Row>(sql: string, ...params: Value[]) =>
      again(() => execute(pool, { sql, params, want: 'all' }) as Promise<Row[]>),
    // Alone, a statement is its own transaction: one round trip instead of three.
    run: (sql, ...params) => again(() => execute(pool, { sql, params, want: 'run' }) as Promise<number>),
    write,
    batch: (statements) => again(() => together(statements)),
    close: () => pool.end(),
  };
  return gatherWrites(observe ? observed(engine, observe) : engine);
}

/** A deadlock, a serialisation failure, a statement prepared before a migration: the unit may simply run again. */
class Contention extends Error {
  constructor(cause: unknown) {
    super('the transaction met another one', { cause });
  }
}

/** Fails where it changes no row, and with it the whole transaction. */
const mustChange = (sql: string): string => `WITH won AS (${sql} RETURNING 1) SELECT 1 / count(*) FROM won`;

const isDivisionByZero = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === '22012';

/** A newer version has added a column: what was prepared by this name would answer in another form, and is refused. */
function isOutOfDate(error: unknown): boolean {
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string };
  return code === '0A000' && message.includes('cached plan');
}

/** SQLSTATE classes that say "not now": connection, resources, operator intervention, read-only, start-up. */
const UNAVAILABLE = /^(08|53|57|25006|25P03|55006|58)/;
const BROKEN_SOCKET = /^(ECONN|ETIMEDOUT|EPIPE|ENOTFOUND|EHOSTUNREACH|EAI_AGAIN)/;

const isUnavailable = (error: unknown) => error instanceof AppError && error.code === 'storage_unavailable';

function translate(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== 'string') {
    const text = error instanceof Error ? error.message : '';
    return /timeout|terminated|not queryable|closed/i.test(text) ? storageUnavailable(error) : error;
  }
  if (code === '23505') return new UniqueViolation(error);
  if (code === '23503') return new OwnerGone(error);
  if (code === '40001' || code === '40P01' || isOutOfDate(error)) return new Contention(error);
  return UNAVAILABLE.test(code) || BROKEN_SOCKET.test(code) ? storageUnavailable(error) : error;
}
