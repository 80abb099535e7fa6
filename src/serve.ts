/** The server's life: migrate or refuse, open, listen, sweep, and stop without losing a request. */
import type { Logger } from 'pino';
import { createApp } from './app.ts';
import { SYSTEM } from './audit/events.ts';
import type { ConfigFile } from './config/file.ts';
import type { Settings } from './config/settings.ts';
import { connect } from './db/connect.ts';
import { migrate, pendingMigrations, SchemaFault } from './db/migrate.ts';
import { checkSoundness } from './db/soundness.ts';
import { seedDevelopmentClient } from './dev/seed.ts';
import { createServer } from './http/server.ts';
import { startSweeping } from './jobs/sweep.ts';
import { createMetrics } from './ops/metrics.ts';
import { within } from './patience.ts';
import { migrationsDir } from './places.ts';
import { databaseTarget, openServices, type Services } from './services.ts';

export { databaseTarget };

/** For what is under way beside requests: neither a database nor a mail server that is silent holds up the end. */
const REST_MS = 6000;

export interface ServeOptions {
  settings: Settings;
  file: ConfigFile;
  log: Logger;
  /** The number of this process, when several serve. */
  worker?: number | undefined;
}

export interface Running {
  services: Services;
  /** Development only: the client whose block is printed. */
  seed: { client_id: string; client_secret?: string } | undefined;
  /** Resolves when nothing of the process is left to do. A second call ends at once. */
  stop(): Promise<void>;
}

/** @throws DatabaseFault, KeyringFault, SchemaFault, ListenFault, AppError: each with a sentence for the operator. */
export async function serve({ settings, file, log, worker }: ServeOptions): Promise<Running> {
  await prepareSchema(settings, log);
  const metrics = createMetrics({ worker });
  const services = await openServices({ settings, file, log, observer: metrics });
  const seed = await applyConfiguration(services, file);
  let draining = false;
  const instance = worker === undefined ? {} : { details: { worker } };
  await services.audit.note({ type: 'instance.started', by: SYSTEM, ...instance });
  const app = await createApp(services, { draining: () => draining, metrics });
  const server = createServer(app, { maxConnections: settings.maxConnections });
  await server.listen({ host: settings.host, port: settings.port });
  services.outbox.start();
  services.audit.start();
  const stopSweeping = startSweeping({
    sweeps: [
      services.artifacts.purge,
      services.rows.Session.purge,
      services.rows.RefreshToken.purge,
      services.refreshReplays.purge,
      services.rows.Grant.purge,
      services.tombstones.purge,
      services.challenges.purge,
      services.steps.purge,
      services.totp.purge,
      services.remembered.purge,
      services.windows.purge,
      services.attempts.purge,
      services.deletion.sweep,
      services.factorRecovery.sweep,
      services.addresses.purge,
      services.audit.sweep,
      services.deadLetters.sweep,
    ],
    onError: (error) => log.warn({ err: error }, 'some expired rows could not be removed; the next round tries again'),
  });

  let ended: Promise<void> | undefined;

  async function endRest(): Promise<void> {
    await stopSweeping();
    await services.audit
      .note({ type: 'instance.stopped', by: SYSTEM, ...instance })
      .catch((err) => log.warn({ err }, 'the end of the instance was not recorded'));
    await services.close();
  }

  return {
    services,
    seed,
    async stop() {
      const patience = draining ? { drainMs: 0, graceMs: 0 } : stopPatience(settings);
      draining = true;
      const { cut } = await server.stop(patience);
      if (cut > 0) log.warn({ cut }, 'requests were cut at the end of the grace time');
      ended ??= endRest();
      if (
        !(await within(
          REST_MS,
          ended.then(() => true),
          false,
        ))
      ) {
        log.warn('what was under way beside requests was cut; the next start goes on');
      }
    },
  };
}

/** What the workers of one machine share, done once before they start. */
export async function prepare({ settings, file, log }: ServeOptions): Promise<Pick<Running, 'seed'>> {
  await prepareSchema(settings, log);
  const services = await openServices({ settings, file, log });
  try {
    return { seed: await applyConfiguration(services, file) };
  } finally {
    await services.close();
  }
}

async function applyConfiguration({ clients, settings }: Services, file: ConfigFile): Promise<Running['seed']> {
  await clients.apply('config', file.clients);
  return settings.development ? seedDevelopmentClient(clients) : undefined;
}

function stopPatience(settings: Settings) {
  return { drainMs: settings.drainSeconds * 1000, graceMs: settings.stopGraceSeconds * 1000 };
}

/** In development the schema is brought up to date; in production that is the operator's step. */
async function prepareSchema(settings: Settings, log: Logger): Promise<void> {
  const target = databaseTarget(settings);
  const database = await connect({ ...target, mustExist: !settings.development });
  try {
    for (const warning of await checkSoundness(database, target)) log.warn(warning);
    const pending = await pendingMigrations(database, migrationsDir);
    if (pending.length === 0) return;
    if (!settings.development) {
      throw new SchemaFault(
        `The database lacks ${pending.length} ${pending.length === 1 ? 'migration' : 'migrations'} (${pending.join(', ')}). Run "latchkey migrate", then start again.`,
      );
    }
    const applied = await migrate(target, migrationsDir);
    log.info({ applied }, 'the database schema is up to date');
  } finally {
    await database.close();
  }
}
