/** The databases that the store contracts run on: the same tests, SQLite and PostgreSQL. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type DatabaseTarget } from '../../src/db/connect.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { createKeyring, type Keyring } from '../../src/keyring/keyring.ts';
import { createDataKeyStore } from '../../src/keyring/store.ts';
import { migrationsDir } from '../../src/places.ts';
import { startPostgres } from './postgres.ts';

export interface Backend {
  target: DatabaseTarget;
  db: Database;
  keyring: Keyring;
  close(): Promise<void>;
}

export const SECRET_KEY = Buffer.from('a test key of thirty-two bytes!!');

async function opened(target: DatabaseTarget, release: () => Promise<void>): Promise<Backend> {
  await migrate(target, migrationsDir);
  const db = await connect(target);
  const keyring = await createKeyring({ store: createDataKeyStore(db), secretKeys: [SECRET_KEY] });
  return {
    target,
    db,
    keyring,
    async close() {
      await db.close();
      await release();
    },
  };
}

export const DATABASES: Record<string, () => Promise<Backend>> = {
  async SQLite() {
    const dir = mkdtempSync(join(tmpdir(), 'latchkey-store-'));
    return opened({ file: join(dir, 'latchkey.db') }, async () => rmSync(dir, { recursive: true, force: true }));
  },
  async PostgreSQL() {
    const server = await startPostgres();
    return opened({ url: await server.database({ prepared: 'schema' }), file: '' }, () => server.stop());
  },
};
