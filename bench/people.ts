/** Accounts in the store of a Latchkey, made through its own features, so that their passwords are real ones. */
import { readFileSync } from 'node:fs';
import pino from 'pino';
import { ensureDevelopmentSecrets } from '../src/config/development.ts';
import { NO_CONFIG_FILE } from '../src/config/file.ts';
import { loadSettings } from '../src/config/settings.ts';
import { openServices, type Services } from '../src/services.ts';
import type { Person } from './operations.ts';
import { latchkeyEnvironment, type Server } from './server.ts';

const PASSWORD = 'four quiet herons waiting';

/** Opens the store of a running server beside it. */
export async function withServices<Result>(
  { dataDir, origin }: Pick<Server, 'dataDir' | 'origin'>,
  env: Record<string, string>,
  work: (services: Services) => Promise<Result>,
): Promise<Result> {
  const all = { ...latchkeyEnvironment(dataDir, Number(new URL(origin).port)), ...env };
  const { settings } = loadSettings({ env: all, cwd: dataDir, readFile: (path) => readFileSync(path, 'utf8') });
  if (settings.secretKeys.length === 0) settings.secretKeys = [ensureDevelopmentSecrets({ dataDir }).secretKey];
  const services = await openServices({ settings, file: NO_CONFIG_FILE, log: pino({ level: 'silent' }) });
  try {
    return await work(services);
  } finally {
    await services.close();
  }
}

export async function makePeople(server: Server, env: Record<string, string>, count: number): Promise<Person[]> {
  return withServices(server, env, async ({ accounts }) => {
    const people: Person[] = [];
    for (let n = 0; n < count; n += 1) {
      const email = `bench${n}@example.com`;
      await accounts.create({ email, name: `Bench ${n}`, password: PASSWORD, verified: true });
      people.push({ email, password: PASSWORD });
    }
    return people;
  });
}
