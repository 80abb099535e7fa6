/** The process: reads command, environment and signals, and hands them in. The only file that touches `process`. */
import { existsSync, readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { banner } from './banner.ts';
import { createProgram } from './cli/program.ts';
import { createTerminal } from './cli/terminal.ts';
import { ensureDevelopmentSecrets } from './config/development.ts';
import { type ConfigFile, loadConfigFile, NO_CONFIG_FILE } from './config/file.ts';
import { loadSettings, type Settings } from './config/settings.ts';
import { createI18n, readCatalogues } from './http/i18n.ts';
import { createLog } from './http/log.ts';
import { openForCommand } from './open.ts';
import { root, viewsDir } from './places.ts';
import { databaseTarget, prepare, type Running, serve } from './serve.ts';
import { isWorker, supervise, workerNumber } from './workers.ts';

interface Configuration {
  settings: Settings;
  file: ConfigFile;
  log: Logger;
}

/** Commands that make no database where there is none. */
const MAKES_NONE = ['restore', 'healthcheck'];

const readFile = (path: string) => readFileSync(path, 'utf8');
let loaded: Configuration | undefined;

/** Read once, at a command's first need: `--help` works with a broken configuration. */
function configuration(): Configuration {
  if (loaded) return loaded;
  const { settings, warnings, env } = loadSettings({ env: process.env, cwd: process.cwd(), readFile });
  if (settings.development && settings.secretKeys.length === 0) {
    const secrets = ensureDevelopmentSecrets({ dataDir: settings.dataDir });
    settings.secretKeys = [secrets.secretKey];
    const { url, file: database } = databaseTarget(settings);
    const makesOne = !MAKES_NONE.includes(process.argv[2] ?? 'serve');
    if (makesOne && !secrets.made && !url && !existsSync(database)) warnings.push(databaseGone(database));
  }
  // What a command prints is for its caller; only a server's log is its output.
  const serving = (process.argv[2] ?? 'serve') === 'serve';
  const log = createLog({
    level: settings.logLevel,
    pretty: process.stdout.isTTY === true,
    ...(serving ? {} : { destination: process.stderr }),
  });
  for (const warning of warnings) log.warn(warning);
  const file = settings.configFile ? loadConfigFile(settings.configFile, { env, readFile }) : NO_CONFIG_FILE;
  loaded = { settings, file, log };
  return loaded;
}

/** Whoever had accounts there should know before making new ones. */
function databaseGone(path: string): string {
  return `The secrets beside ${path} are of an earlier start, but the database is gone: a new, empty one is made. If it should be there, stop, and restore it from a backup.`;
}

async function runServer(): Promise<number> {
  const { settings } = configuration();
  return settings.workers > 1 && !isWorker ? runPrimary() : runOne();
}

/** The process that serves, be it the only one or a worker. */
async function runOne(): Promise<number> {
  const { settings, log } = configuration();
  let running: Running | undefined;
  let asked = false;
  return new Promise((resolve, reject) => {
    const stop = async () => {
      asked = true;
      if (!running) return;
      try {
        await running.stop();
        log.info('stopped');
        resolve(0);
      } catch (error) {
        log.error({ err: error }, 'stopping failed');
        resolve(70);
      }
    };
    // Before anything is open: a signal during the start is kept for its end.
    onStopSignal(stop);
    serve({ ...configuration(), worker: workerNumber }).then((ready) => {
      running = ready;
      if (settings.development && !isWorker) announce(running.seed);
      log.info({ issuer: settings.issuer.origin, port: settings.port, pid: process.pid }, 'listening');
      if (asked) stop();
    }, reject);
  });
}

/** Prepares what the workers share, then only watches over them. */
async function runPrimary(): Promise<number> {
  const { settings } = configuration();
  const prepared = await prepare(configuration());
  const workers = supervise({ count: settings.workers, log: configuration().log });
  onStopSignal((signal) => workers.stop(signal));
  await Promise.race([workers.ready, workers.ended]);
  if (settings.development) announce(prepared.seed);
  return workers.ended;
}

function announce(seed: Parameters<typeof banner>[0]['seed']): void {
  process.stdout.write(`${banner({ settings: configuration().settings, seed })}\n`);
}

function onStopSignal(stop: (signal: NodeJS.Signals) => void): void {
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      configuration().log.info({ signal: name }, 'stopping');
      stop(name);
    });
  }
}

process.on('uncaughtException', (error) => {
  const log = loaded?.log ?? createLog({ level: 'error', pretty: false });
  log.fatal({ err: error }, 'a bug ended the process');
  lastWords(log).finally(() => process.exit(70));
});

const program = createProgram({
  ...createTerminal(process),
  version: JSON.parse(readFile(`${root}package.json`)).version,
  open: () => openForCommand(configuration()),
  serve: runServer,
  async generate() {
    const { writeGenerated } = await import('./config/generate.ts');
    return writeGenerated(root);
  },
  address: () => ({ host: configuration().settings.host, port: configuration().settings.port }),
  words: ({ code, values }) => createI18n({ catalogues: readCatalogues(viewsDir) }).t('en', `error.${code}`, values),
});

const exitCode = await program.run(process.argv.slice(2));
await lastWords(loaded?.log);
process.exit(exitCode);

/** What is still on its way to a slow reader of the log; a reader that is gone is not waited for. */
async function lastWords(log: Logger | undefined): Promise<void> {
  if (!log) return;
  await Promise.race([
    new Promise((resolve) => log.flush(resolve)),
    new Promise((resolve) => setTimeout(resolve, 1000)),
  ]);
}
