/** The features for a command of the command line: opened for one command, closed after it. */
import { OPERATOR } from './audit/events.ts';
import { connect } from './db/connect.ts';
import type { Database } from './db/database.ts';
import { migrate, pendingMigrations, SchemaFault } from './db/migrate.ts';
import { createSecrets } from './keyring/secrets.ts';
import { createDataKeyStore } from './keyring/store.ts';
import { createBackup } from './ops/backup.ts';
import { migrationsDir } from './places.ts';
import { createRestoring } from './restoring.ts';
import type { ServeOptions } from './serve.ts';
import { databaseTarget, openServices, type Services } from './services.ts';

type CommandServices = import('./cli/services.ts').Services;

/** With a schema that is behind, only `migrate` and `pending` work, unless development mode brings it up to date. */
export async function openForCommand(options: ServeOptions): Promise<CommandServices> {
  const target = databaseTarget(options.settings);
  /** In production only `migrate` makes a database: an empty one in a wrong place would be in the way of a restore. */
  const existing = { ...target, mustExist: !options.settings.development };
  const pending = async () => {
    const database = await connect(existing);
    try {
      return await pendingMigrations(database, migrationsDir);
    } finally {
      await database.close();
    }
  };
  let services: Services | undefined;
  let rows: Database | undefined;
  const schema = { pending, migrate: () => migrate(target, migrationsDir) };

  /** Opened at the first use, so that `migrate` needs no table. */
  async function opened(): Promise<Services> {
    const missing = await pending();
    if (missing.length > 0 && !options.settings.development) {
      throw new SchemaFault(`The database lacks ${missing.join(', ')}. Run "latchkey migrate" first.`);
    }
    if (missing.length > 0) await schema.migrate();
    services ??= await openServices(options);
    return services;
  }

  /** Without the keyring: what is asked about may be that it does not open. */
  async function secrets() {
    rows ??= await connect(existing);
    return createSecrets({
      store: createDataKeyStore(rows),
      secretKeys: options.settings.secretKeys,
      async recorder() {
        const { audit } = await opened();
        return (key) => audit.record({ type: 'secret.rotated', by: OPERATOR, details: { key } });
      },
    });
  }

  const names = [
    'accounts',
    'deletion',
    'invitations',
    'sessions',
    'addresses',
    'factors',
    'factorRecovery',
    'roles',
    'clients',
    'mailer',
    'outbox',
    'deadLetters',
    'audit',
    'keys',
  ] as const;
  const lazy = Object.fromEntries(names.map((name) => [name, afterOpening(() => opened().then((all) => all[name]))]));
  return {
    ...(lazy as unknown as Pick<CommandServices, (typeof names)[number]>),
    ...schema,
    secrets: afterOpening(secrets) as CommandServices['secrets'],
    backup: createBackup({
      target,
      async record(details) {
        const { audit } = await opened();
        await audit.note({ type: 'backup.made', by: OPERATOR, details });
      },
    }),
    restoring: createRestoring(options),
    issuer: options.settings.issuer.origin,
    development: options.settings.development,
    async close() {
      await services?.close();
      await rows?.close();
    },
  };
}

/** A feature whose functions first open it. Every function of these features is asynchronous. */
function afterOpening(open: () => Promise<object>): unknown {
  return new Proxy(
    {},
    {
      get: (_target, member) =>
        member === 'then'
          ? undefined
          : async (...args: unknown[]) => {
              const feature = (await open()) as Record<string | symbol, (...given: unknown[]) => unknown>;
              return feature[member]?.(...args);
            },
    },
  );
}
