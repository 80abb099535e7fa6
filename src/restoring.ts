/** Restoring a database: where its files go, that nobody is using them, and that it is opened for nobody before what
 * it holds has ended. Killed at any moment, it leaves the folder without a database and is run again. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OPERATOR } from './audit/events.ts';
import { connect, DatabaseFault, type DatabaseTarget } from './db/connect.ts';
import { BESIDE, copyBackup, isOpenElsewhere, publish } from './db/copy.ts';
import type { Database } from './db/database.ts';
import { appliedMigrations, migrate, pendingMigrations, SchemaFault, unknownMigrations } from './db/migrate.ts';
import { AppError } from './errors.ts';
import { createRenewal } from './keyring/renewal.ts';
import { createDataKeyStore } from './keyring/store.ts';
import { createRestoration, type Restored } from './ops/restoration.ts';
import { otherConnections } from './ops/restore-store.ts';
import { migrationsDir } from './places.ts';
import type { ServeOptions } from './serve.ts';
import { databaseTarget, openServices } from './services.ts';

const STAGE = 'restoring-';

export function createRestoring(options: ServeOptions) {
  const { settings } = options;
  const target = databaseTarget(settings);

  return {
    /** @throws AppError conflict when there is a database; DatabaseFault, KeyringFault, SchemaFault. */
    async from(backup: string): Promise<Restored> {
      if (target.url) throw ofPostgres();
      refuseDatabase(target.file);
      const folder = dirname(target.file);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const stage = mkdtempSync(join(folder, STAGE));
      try {
        const staged = { ...settings, dataDir: stage, redisUrl: undefined };
        const copy = databaseTarget(staged);
        await copyBackup(backup, copy.file);
        await bringUpToDate(copy);
        const restored = await settle({ ...options, settings: staged });
        if (!publish(copy.file, target.file)) throw taken(target.file);
        return restored;
      } finally {
        rmSync(stage, { recursive: true, force: true });
        if (existsSync(target.file)) removeStages(folder);
      }
    },

    /** @throws AppError conflict while an instance runs; DatabaseFault, KeyringFault, SchemaFault. */
    async inPlace(): Promise<Restored> {
      if (!target.url && existsSync(target.file) && (await isOpenElsewhere(target.file))) throw inUse();
      const database = await connect({ ...target, mustExist: true });
      try {
        if (target.url && (await otherConnections(database)) > 0) throw inUse();
        await refuseForeign(database);
        const pending = await pendingMigrations(database, migrationsDir);
        if (pending.length > 0) {
          throw new SchemaFault(`The database lacks ${pending.join(', ')}. Run "latchkey migrate" first.`);
        }
      } finally {
        await database.close();
      }
      return settle({ ...options, settings: { ...settings, redisUrl: undefined } });
    },
  };

  async function bringUpToDate(copy: DatabaseTarget): Promise<void> {
    const database = await connect({ ...copy, mustExist: true });
    try {
      await refuseForeign(database);
    } finally {
      await database.close();
    }
    await migrate(copy, migrationsDir);
  }

  async function settle(staged: ServeOptions): Promise<Restored> {
    const services = await openServices({ ...staged, patient: true });
    try {
      const { db, audit, sessions } = services;
      const renew = createRenewal({ store: createDataKeyStore(db), secretKeys: settings.secretKeys });
      const end = createRestoration({
        db,
        endSessions: (id) => sessions.ending(id, { reason: 'database_restored', by: OPERATOR }),
        renewPayloadKey: () => renew('payload'),
        record: (details) => audit.record({ type: 'database.restored', by: OPERATOR, details: { ...details } }),
      });
      return await end();
    } finally {
      await services.close();
    }
  }
}

function refuseDatabase(file: string): void {
  const there = ['', ...BESIDE].map((suffix) => file + suffix).find((name) => existsSync(name));
  if (there) throw taken(there);
}

/** What a restore that was killed left there. */
function removeStages(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (name.startsWith(STAGE)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** @throws DatabaseFault, SchemaFault for a database that this version can't settle. */
async function refuseForeign(database: Database): Promise<void> {
  if ((await appliedMigrations(database)).size === 0) {
    throw new DatabaseFault('That is not a database of Latchkey: it has no table of migrations.');
  }
  const unknown = await unknownMigrations(database, migrationsDir);
  if (unknown.length > 0) {
    throw new SchemaFault(
      `The database is of a newer version (${unknown.join(', ')}), which may keep what this one does not know. Restore it with that version.`,
    );
  }
}

const conflict = (message: string) => new AppError('conflict', { message });

const taken = (file: string) =>
  conflict(
    `There is ${file} already. A backup is restored into a folder without a database only: stop the instance and move its database (latchkey.db and the files beside it) away.`,
  );

const inUse = () => conflict('An instance is using the database. Stop every instance, then run this again.');

const ofPostgres = () =>
  new AppError('invalid_request', {
    message:
      'The database is PostgreSQL. Restore it by pg_restore, then run "latchkey restore --in-place" before the first start.',
  });
