/** The real process, started as `npm start` starts it, on a free port with a data folder of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './ports.ts';
import { newDataDir } from './prepared.ts';

const here = fileURLToPath(new URL('../..', import.meta.url));
const command = promisify(execFile);
const PATIENCE_MS = 60_000;

export interface Issuer {
  url: string;
  dataDir: string;
  env: Record<string, string>;
  /** Everything that the process printed. */
  output(): string;
  /** The newest mail to this address, awaited for at most twenty seconds. */
  mail(to: string): Promise<{ id: string; to: string; subject: string; text: string; html: string }>;
  /** Registers a client by the command line; metadata of RFC 7591. */
  createClient(metadata: Record<string, unknown>): Promise<{ client_id: string; client_secret: string }>;
  run(...args: string[]): Promise<{ stdout: string; stderr: string }>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Starts again on the same port and data. */
  start(): Promise<void>;
}

export interface IssuerOptions {
  env?: Record<string, string>;
  /** Text of the YAML file. */
  config?: string;
  /** The folder of another version of the project. */
  program?: string;
}

export async function startIssuer(t: TestContext, options: IssuerOptions = {}): Promise<Issuer> {
  const port = await freePort();
  const launcher = join(options.program ?? here, 'bin/latchkey.js');
  const own = ['LATCHKEY_SECRET_KEY', 'LATCHKEY_DATABASE_URL', 'LATCHKEY_DATA_DIR'];
  const dataDir = newDataDir(own.some((name) => options.env?.[name] !== undefined));
  const inherited = Object.entries(process.env).filter(([name]) => !/^(LATCHKEY_|NODE_TEST|NODE_OPTIONS)/.test(name));
  const env: Record<string, string> = {
    ...(Object.fromEntries(inherited) as Record<string, string>),
    LATCHKEY_PORT: String(port),
    LATCHKEY_DATA_DIR: dataDir,
    LATCHKEY_ARGON2_MEMORY_KIB: '1024',
    LATCHKEY_ARGON2_PASSES: '1',
    LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '100000',
    LATCHKEY_LIMIT_PAGES_PER_MINUTE: '100000',
    LATCHKEY_LIMIT_FAILURES_PER_MINUTE: '100000',
    LATCHKEY_LIMIT_REGISTRATIONS_PER_HOUR: '100000',
    ...options.env,
  };
  if (options.config !== undefined) {
    env['LATCHKEY_CONFIG'] = join(dataDir, 'config.yaml');
    writeFileSync(env['LATCHKEY_CONFIG'], options.config);
  }
  const url = options.env?.['LATCHKEY_ISSUER'] ?? `http://localhost:${port}`;
  let child: ChildProcess | undefined;
  let printed = '';

  async function start(): Promise<void> {
    const started = spawn(process.execPath, [launcher, 'serve'], {
      env,
      cwd: dataDir,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    const ready = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the issuer did not start:\n${printed}`)), PATIENCE_MS);
      const read = (chunk: Buffer) => {
        printed += chunk.toString();
        if (!/"msg":"listening"|\blistening\b/.test(printed)) return;
        clearTimeout(timer);
        resolve();
      };
      started.stdout?.on('data', read);
      started.stderr?.on('data', read);
      started.once('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`the issuer ended with ${code}:\n${printed}`));
      });
    });
    await ready;
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null) return running?.exitCode ?? null;
    const ended = once(running, 'exit');
    running.kill(signal);
    const [code] = await ended;
    printed = '';
    return code as number | null;
  }

  await start();
  t.after(async () => {
    await stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const run = (...args: string[]) => command(process.execPath, [launcher, ...args], { env, cwd: dataDir });

  return {
    url,
    dataDir,
    env,
    output: () => printed,
    run,
    start,
    stop,
    async mail(to) {
      for (const end = performance.now() + 20_000; performance.now() < end; ) {
        const mails = (await (await fetch(`${url}/dev/mail.json`)).json()) as Array<
          Awaited<ReturnType<Issuer['mail']>>
        >;
        const found = mails.findLast((mail) => mail.to === to);
        if (found) return found;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`no mail to ${to} arrived`);
    },
    async createClient(metadata) {
      const {
        redirect_uris: uris = [],
        client_name: name,
        ...rest
      } = metadata as { redirect_uris?: string[]; client_name?: string };
      const settings = Object.entries(rest).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`]);
      const named = name === undefined ? [] : ['--name', name];
      const redirects = uris.flatMap((uri) => ['--redirect-uri', uri]);
      const { stdout } = await run('clients', 'create', ...named, ...redirects, ...settings, '--json');
      return JSON.parse(stdout);
    },
  };
}
