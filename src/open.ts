/** The features for a command of the command line: opened for one command, closed after it. */
import { connect } from './db/connect.ts';
import { migrate, pendingMigrations, SchemaFault } from './db/migrate.ts';
import { migrationsDir } from './places.ts';
import type { ServeOptions } from './serve.ts';
import { databaseTarget, openServices, type Services } from './services.ts';

type CommandServices = import('./cli/services.ts').Services;

/** With a schema that is behind, only `migrate` and `pending` work, unless development mode brings it up to date. */
export async function openForCommand(options: ServeOptions): Promise<CommandServices> {
  const target = databaseTarget(options.settings);
  const pending = async () => {
    const database = await connect(target);
    try {
      return await pendingMigrations(database, migrationsDir);
    } finally {
      await database.close();
    }
  };
  let services: Services | undefined;
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

  const names = ['accounts', 'invitations', 'sessions', 'clients', 'mailer', 'outbox', 'deadLetters', 'audit'] as const;
  const lazy = Object.fromEntries(names.map((name) => [name, afterOpening(() => opened().then((all) => all[name]))]));
  return {
    ...(lazy as unknown as Pick<CommandServices, (typeof names)[number]>),
    ...schema,
    issuer: options.settings.issuer.origin,
    development: options.settings.development,
    async close() {
      await services?.close();
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
