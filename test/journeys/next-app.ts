/** A Next.js example as its developer runs it: installed from its lock file, built, and started on a free port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { tellWhenFailed } from '../support/browser.ts';

export const EXAMPLES_FOLDER = join(import.meta.dirname, '../../examples');
export interface Example {
  folder: string;
  /** Of the library's settings. */
  prefix: string;
  /** How the name of its session cookie begins. */
  cookie: string;
  /** The module that decodes the cookie, and what it wants to know for that. */
  jwt: string;
  salt: string;
}

export const EXAMPLES: readonly Example[] = [
  {
    folder: 'nextjs-next-auth-4',
    prefix: 'NEXTAUTH',
    cookie: 'next-auth.session-token',
    jwt: 'next-auth/jwt/index.js',
    salt: '',
  },
  {
    folder: 'nextjs-auth-js-5',
    prefix: 'AUTH',
    cookie: 'authjs.session-token',
    jwt: '@auth/core/jwt.js',
    salt: 'authjs.session-token',
  },
];
const START_MS = 90_000;

/** Installs what an example's lock file names, unless that is there already. */
export async function install(example: string): Promise<void> {
  const folder = join(EXAMPLES_FOLDER, example);
  const wanted = createHash('sha256')
    .update(await readFile(join(folder, 'package-lock.json')))
    .digest('hex');
  const marker = join(folder, 'node_modules/.installed'); // npm ci removes it with the folder
  if ((await readFile(marker, 'utf8').catch(() => '')) === wanted) return;
  await run('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'], folder);
  await writeFile(marker, wanted);
}

const builds = new Map<string, Promise<void>>();

/** Once in a process. */
export function build(example: string): Promise<void> {
  const begun = builds.get(example) ?? installAndBuild(example);
  builds.set(example, begun);
  return begun;
}

async function installAndBuild(example: string): Promise<void> {
  await install(example);
  await run(process.execPath, ['node_modules/next/dist/bin/next', 'build'], join(EXAMPLES_FOLDER, example));
}

/** Starts a built example and stops it after the test. */
export async function start(t: TestContext, example: string, port: number, env: Record<string, string>): Promise<void> {
  const entry = ['node_modules/next/dist/bin/next', 'start', '--hostname', '127.0.0.1', '--port', String(port)];
  const app = launch(process.execPath, entry, join(EXAMPLES_FOLDER, example), env);
  tellWhenFailed(t, app.output);
  t.after(async () => {
    if (app.child.exitCode !== null || app.child.signalCode !== null) return;
    app.child.kill();
    await once(app.child, 'exit');
  });
  for (const end = Date.now() + START_MS; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    if (
      await fetch(`http://127.0.0.1:${port}/`).then(
        (response) => response.ok,
        () => false,
      )
    )
      return;
    if (Date.now() > end || app.child.exitCode !== null) throw new Error(`${example} does not start:\n${app.output()}`);
  }
}

async function run(command: string, args: string[], cwd: string): Promise<void> {
  const { child, output } = launch(command, args, cwd, {});
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed in ${cwd}:\n${output()}`);
}

function launch(command: string, args: string[], cwd: string, env: Record<string, string>) {
  const { NODE_TEST_CONTEXT: _, NODE_ENV: __, NODE_OPTIONS: ___, ...own } = process.env;
  const child: ChildProcess = spawn(command, args, { cwd, env: { ...own, NEXT_TELEMETRY_DISABLED: '1', ...env } });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return { child, output: () => text.slice(-10_000) };
}
