/**
 * Starts Node 24 with our arguments, whatever Node reads this file (any from 18). Knows no command, and one setting.
 * Node 24 replaces itself; an older or newer one starts the shipped runtime, hands signals on and ends as it ends.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { cpus, constants as system } from 'node:os';
import { dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';

/** The project's folder, also when this file was reached through a link. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** `EX_CONFIG`: another start would say the same. */
const EXIT_CONFIG = 78;
/** Room for short-lived objects; the default makes the collector run too often under load. */
const FLAGS = ['--max-semi-space-size=64'];

/** @param {string[]} args what would follow `node` on a command line: flags, a script, its arguments. */
export function launch(args) {
  const env = { ...process.env };
  env.NODE_COMPILE_CACHE ??= compileCache();
  if (!env.NODE_COMPILE_CACHE) delete env.NODE_COMPILE_CACHE;
  env.UV_THREADPOOL_SIZE ??= String(threads(env));
  if (isNode24(process.versions.node)) return become([...process.execArgv, ...FLAGS, ...args], env);
  const shipped = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (!allowed(shipped, constants.X_OK)) return refuse('none came with the packages for this system');
  start(shipped, [...FLAGS, ...args], env);
}

/** 24.11 was the first with long-term support. */
function isNode24(version) {
  const [major, minor] = version.split('.').map(Number);
  return major === 24 && minor >= 11;
}

/** Same process, so no signal, no memory and no exit code is anybody's in between. */
function become(args, env) {
  if (process.execve) process.execve(process.execPath, [process.argv0, ...args], env);
  start(process.execPath, args, env);
}

function start(runtime, args, env) {
  const child = spawn(runtime, args, { env, stdio: 'inherit' });
  // A terminal sends Ctrl-C and its own end to every process of the group: handed on, they would arrive twice.
  const terminal = isatty(0);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => terminal || child.kill(signal));
  child.on('error', (error) => refuse(`${runtime} does not start (${error.code ?? error.message})`));
  child.on('exit', (code, signal) => (signal ? endBy(signal) : process.exit(code)));
}

/** Ends like the child did; process 1 of a container can't, and says it by its exit code. */
function endBy(signal) {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  setTimeout(() => process.exit(128 + system.signals[signal]), 100);
}

function refuse(reason) {
  process.stderr.write(
    `Latchkey needs Node 24 (24.11 or later): this is ${process.versions.node}, and ${reason}. ` +
      'Install Node 24, or run npm ci again without --omit=optional on Linux (x64 or arm64, glibc).\n',
  );
  process.exit(EXIT_CONFIG);
}

/** One for each password that is hashed at once, and Node's usual four for the disk and the signatures. */
function threads(env) {
  return Math.max(cpus().length, Number(env.LATCHKEY_ARGON2_CONCURRENCY) || 0) + 4;
}

/** Where V8 keeps compiled code, which makes the next start faster; nowhere when the folder can't be written. */
function compileCache() {
  const folder = join(root, 'node_modules', '.cache', 'latchkey');
  try {
    mkdirSync(folder, { recursive: true });
  } catch {
    return undefined;
  }
  return allowed(folder, constants.W_OK) ? folder : undefined;
}

function allowed(path, mode) {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
