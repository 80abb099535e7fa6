/** The real application in this process, on a free port, with a database and a mailbox of its own. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import pino from 'pino';
import { ensureDevelopmentSecrets } from '../../src/config/development.ts';
import { loadConfigFile, NO_CONFIG_FILE } from '../../src/config/file.ts';
import { loadSettings } from '../../src/config/settings.ts';
import { type Running, serve } from '../../src/serve.ts';
import { freePort } from './ports.ts';
import { newDataDir } from './prepared.ts';

export interface AppOptions {
  /** Settings of this run, `LATCHKEY_…`. */
  env?: Record<string, string>;
  /** Text of the YAML file. */
  config?: string;
  /** A data folder that outlives the run; by default a new one that is removed with it. */
  dataDir?: string;
  port?: number;
  /** Each log line, as JSON. */
  onLog?: (line: string) => void;
}

export interface Mail {
  id: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  at: string;
}

export interface TestApp {
  url: string;
  dataDir: string;
  running: Running;
  services: Running['services'];
  /** The newest mail to this address, awaited for at most twenty seconds. */
  mail(to: string, which?: (mail: Mail) => boolean): Promise<Mail>;
  mails(): Mail[];
  /** Registers a client; `first_party` and a callback on 127.0.0.1 unless said otherwise. */
  client(
    metadata?: Record<string, unknown>,
  ): Promise<{ client_id: string; client_secret: string } & Record<string, unknown>>;
  stop(): Promise<void>;
}

/** Cheap parameters; the algorithm is the real one. */
const TEST_SETTINGS = {
  LATCHKEY_ARGON2_MEMORY_KIB: '1024',
  LATCHKEY_ARGON2_PASSES: '1',
  LATCHKEY_LOG_LEVEL: 'warn',
  // Every test comes from one address; the limits have tests of their own.
  LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '100000',
  LATCHKEY_LIMIT_PAGES_PER_MINUTE: '100000',
  LATCHKEY_LIMIT_FAILURES_PER_MINUTE: '100000',
  LATCHKEY_LIMIT_REGISTRATIONS_PER_HOUR: '100000',
};

export async function startApp(t: TestContext, options: AppOptions = {}): Promise<TestApp> {
  const port = options.port ?? (await freePort());
  const dataDir = options.dataDir ?? newDataDir(options.env?.['LATCHKEY_SECRET_KEY'] !== undefined);
  const env: Record<string, string> = {
    ...TEST_SETTINGS,
    LATCHKEY_PORT: String(port),
    LATCHKEY_ISSUER: `http://localhost:${port}`,
    LATCHKEY_HOST: '127.0.0.1',
    LATCHKEY_DATA_DIR: dataDir,
    ...options.env,
  };
  if (options.config !== undefined) {
    env['LATCHKEY_CONFIG'] = join(dataDir, 'config.yaml');
    writeFileSync(env['LATCHKEY_CONFIG'], options.config);
  }
  const readFile = (path: string) => readFileSync(path, 'utf8');
  const { settings } = loadSettings({ env, cwd: dataDir, readFile });
  if (settings.secretKeys.length === 0) settings.secretKeys = [ensureDevelopmentSecrets({ dataDir }).secretKey];
  const file = settings.configFile ? loadConfigFile(settings.configFile, { env, readFile }) : NO_CONFIG_FILE;
  const log = pino({ level: options.onLog ? 'trace' : 'error' }, options.onLog ? { write: options.onLog } : undefined);
  const running = await serve({ settings, file, log });
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= running.stop();
    return stopped;
  };
  t.after(async () => {
    await stop();
    if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true });
  });

  const mails = () => (running.services.mailbox?.list() ?? []) as Mail[];
  return {
    url: settings.issuer.origin,
    dataDir,
    running,
    services: running.services,
    mails,
    stop,
    async mail(to, which = () => true) {
      for (const end = performance.now() + 20_000; performance.now() < end; ) {
        const found = mails().findLast((mail) => mail.to === to && which(mail));
        if (found) return found;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(
        `no mail to ${to} arrived; the mailbox has ${mails()
          .map((mail) => `${mail.to}: ${mail.subject}`)
          .join(', ')}`,
      );
    },
    async client(metadata = {}) {
      const defaults = { client_name: 'Test app', first_party: true, redirect_uris: ['http://127.0.0.1:9/callback'] };
      const made = await running.services.clients.create({ source: 'cli', metadata: { ...defaults, ...metadata } });
      return made as never;
    },
  };
}
