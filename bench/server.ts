/** Starts and stops the servers that are measured: each a process of its own on a free port and an empty store. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../test/support/ports.ts';
import { latchkeyConfig, SECRET } from './clients.ts';

export interface Server {
  name: string;
  origin: string;
  pid: number;
  /** Another instance on the same stores, which half of the connections are to. */
  beside?: Server;
  dataDir: string;
  /** Milliseconds from the start of the process until it answered. */
  startedInMs: number;
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
/** As bin/launcher.js starts it; the bare one gets the same. */
const FLAGS = ['--max-semi-space-size=64'];
const UV_THREADPOOL_SIZE = String(cpus().length + 4);
const START_MS = 30_000;

export async function startBare({
  flags = [],
  env = {},
}: Pick<LatchkeyOptions, 'flags' | 'env'> = {}): Promise<Server> {
  const port = await freePort();
  const args = [...FLAGS, ...flags, join(root, 'bench/bare.ts'), String(port)];
  return start({ name: 'bare', port, args, env, ready: '/.well-known/openid-configuration' });
}

export interface LatchkeyOptions {
  name: string;
  /** Settings, `LATCHKEY_…`; the rest is what an installation gets by default. */
  env?: Record<string, string>;
  /** A data folder that exists and stays. */
  dataDir?: string;
  flags?: string[];
  /** Another checkout of this project, to compare with. */
  checkout?: string;
}

export async function startLatchkey({
  name,
  env = {},
  dataDir,
  flags = [],
  checkout = root,
}: LatchkeyOptions): Promise<Server> {
  const port = await freePort();
  const args = [...FLAGS, ...flags, join(checkout, 'src/main.ts'), 'serve'];
  return start({ name, port, args, env, dataDir, ready: '/readyz' });
}

/** For whoever opens the same store beside the server. */
export function latchkeyEnvironment(dataDir: string, port: number): Record<string, string> {
  const config = join(dataDir, 'config.yaml');
  writeFileSync(config, latchkeyConfig());
  return {
    LATCHKEY_PORT: String(port),
    LATCHKEY_ISSUER: `http://localhost:${port}`,
    LATCHKEY_HOST: '127.0.0.1',
    LATCHKEY_DATA_DIR: dataDir,
    LATCHKEY_CONFIG: config,
    // Counted as always, but all load comes from one address.
    LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '1000000',
    LATCHKEY_LIMIT_PAGES_PER_MINUTE: '1000000',
    LATCHKEY_LIMIT_INTROSPECTIONS_PER_MINUTE: '10000000',
    BENCH_SECRET: SECRET,
  };
}

interface Start {
  name: string;
  port: number;
  args: string[];
  env: Record<string, string>;
  dataDir?: string | undefined;
  ready: string;
}

async function start({ name, port, args, env, dataDir, ready }: Start): Promise<Server> {
  const dir = dataDir ?? mkdtempSync(join(tmpdir(), 'latchkey-bench-'));
  const log = openSync(join(dir, 'server.log'), 'a');
  const origin = `http://localhost:${port}`;
  const begun = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: dir,
    env: { PATH: process.env['PATH'] ?? '', UV_THREADPOOL_SIZE, ...latchkeyEnvironment(dir, port), ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async () => {
    process.off('exit', kill);
    await end(child);
    if (!dataDir) rmSync(dir, { recursive: true, force: true });
  };
  try {
    await answering(child, origin + ready);
  } catch (error) {
    const words = readFileSync(join(dir, 'server.log'), 'utf8').slice(-2000);
    await stop();
    throw new Error(`${name} did not start:\n${words}`, { cause: error });
  }
  return { name, origin, pid: child.pid as number, dataDir: dir, startedInMs: performance.now() - begun, stop };
}

async function answering(child: ChildProcess, url: string): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline && child.exitCode === null) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer) await answer.arrayBuffer();
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('no answer in time');
}

/** Asks it to stop, and makes it stop when it does not. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(timer);
}
