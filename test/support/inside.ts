/** The services on the data of a running issuer, for what its HTTP does not offer: as a second process would. */
import { readFileSync } from 'node:fs';
import pino from 'pino';
import { ensureDevelopmentSecrets } from '../../src/config/development.ts';
import { NO_CONFIG_FILE } from '../../src/config/file.ts';
import { loadSettings } from '../../src/config/settings.ts';
import { openServices, type Services } from '../../src/services.ts';
import type { Issuer } from './issuer.ts';

export async function inside<Result>(
  { env, dataDir }: Pick<Issuer, 'env' | 'dataDir'>,
  work: (services: Services) => Promise<Result>,
): Promise<Result> {
  const readFile = (path: string) => readFileSync(path, 'utf8');
  const ours = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('LATCHKEY_')));
  const { settings } = loadSettings({ env: ours, cwd: dataDir, readFile });
  if (settings.secretKeys.length === 0) settings.secretKeys = [ensureDevelopmentSecrets({ dataDir }).secretKey];
  const services = await openServices({ settings, file: NO_CONFIG_FILE, log: pino({ level: 'silent' }) });
  try {
    return await work(services);
  } finally {
    await services.close();
  }
}
