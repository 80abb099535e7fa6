/**
 * A data folder as the first start makes it (schema, data keys, signing keys), made once for a whole run: copying it is
 * thirty times cheaper than making RSA keys for each of some hundred applications.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { ensureDevelopmentSecrets } from '../../src/config/development.ts';
import { NO_CONFIG_FILE } from '../../src/config/file.ts';
import { loadSettings } from '../../src/config/settings.ts';
import { serve } from '../../src/serve.ts';
import { freePort } from './ports.ts';

/** Names the folder for the test processes of a run. */
export const PREPARED = 'TEST_PREPARED_DATA';

/** Makes the folder. Whoever made it removes it. */
export async function prepareData(): Promise<{ dir: string; remove(): void }> {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-prepared-'));
  const port = String(await freePort());
  const env = { LATCHKEY_PORT: port, LATCHKEY_HOST: '127.0.0.1', LATCHKEY_DATA_DIR: dir };
  const { settings } = loadSettings({ env, cwd: dir, readFile: () => '' });
  settings.secretKeys = [ensureDevelopmentSecrets({ dataDir: dir }).secretKey];
  const running = await serve({ settings, file: NO_CONFIG_FILE, log: pino({ level: 'silent' }) });
  await running.stop();
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** A new data folder: a copy of the prepared one where the run has made it; empty for who brings a secret key. */
export function newDataDir(ownSecret = false): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-test-'));
  const prepared = process.env[PREPARED];
  if (prepared && !ownSecret) cpSync(prepared, dir, { recursive: true });
  return dir;
}
