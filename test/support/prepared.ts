/**
 * What a whole run makes once: a data folder as the first start makes it (schema, data keys, signing keys), and a
 * PostgreSQL server with a database like it, under the folder's secret key, and one with the bare schema. Copying is thirty times cheaper than making
 * RSA keys for each of some hundred applications, and a server takes seconds to be made.
 */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { ensureDevelopmentSecrets } from '../../src/config/development.ts';
import { NO_CONFIG_FILE } from '../../src/config/file.ts';
import { loadSettings } from '../../src/config/settings.ts';
import { migrate } from '../../src/db/migrate.ts';
import { migrationsDir } from '../../src/places.ts';
import { serve } from '../../src/serve.ts';
import { freePort } from './ports.ts';
import { createDatabase, PREPARED_DATABASES, RUN_POSTGRES, startServer } from './postgres.ts';

/** Names the folder for the test processes of a run. */
const PREPARED = 'TEST_PREPARED_DATA';

/** Prepares a run. Whoever did it removes it. @returns the variables that its test processes are told it by. */
export async function prepareRun(): Promise<{ env: Record<string, string>; remove(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-prepared-'));
  const server = await startServer();
  await startOnce(dir);
  for (const name of Object.values(PREPARED_DATABASES)) await server.run(createDatabase(name));
  await migrate({ url: server.url(PREPARED_DATABASES.schema), file: '' }, migrationsDir);
  await startOnce(dir, { LATCHKEY_DATABASE_URL: server.url(PREPARED_DATABASES.start) });
  return {
    env: { [PREPARED]: dir, [RUN_POSTGRES]: server.url('postgres') },
    async remove() {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function startOnce(dir: string, more: Record<string, string> = {}): Promise<void> {
  const port = String(await freePort());
  const env = { LATCHKEY_PORT: port, LATCHKEY_HOST: '127.0.0.1', LATCHKEY_DATA_DIR: dir, ...more };
  const { settings } = loadSettings({ env, cwd: dir, readFile: () => '' });
  settings.secretKeys = [ensureDevelopmentSecrets({ dataDir: dir }).secretKey];
  const running = await serve({ settings, file: NO_CONFIG_FILE, log: pino({ level: 'silent' }) });
  await running.stop();
}

/** Under which the databases were prepared; a new one where nothing is. */
export function preparedSecretKey(): string {
  const prepared = process.env[PREPARED];
  if (!prepared) return randomBytes(32).toString('base64');
  return JSON.parse(readFileSync(join(prepared, 'secrets.json'), 'utf8')).secret_key;
}

/** A new data folder: a copy of the prepared one where the run has made it; empty for who brings secrets or data. */
export function newDataDir(own = false): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-test-'));
  const prepared = process.env[PREPARED];
  if (prepared && !own) cpSync(prepared, dir, { recursive: true });
  return dir;
}
