/** A copy of the database while it is in use, put under its name only when it is whole, sound and recorded. */
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { DatabaseTarget } from '../db/connect.ts';
import { BESIDE, copyOnline, publish } from '../db/copy.ts';
import { AppError } from '../errors.ts';

export interface BackupMade {
  file: string;
  bytes: number;
}

export interface BackupOptions {
  target: DatabaseTarget;
  record(made: Pick<BackupMade, 'bytes'>): Promise<void>;
}

export function createBackup({ target, record }: BackupOptions) {
  return {
    /** @throws AppError conflict for a name that is taken, invalid_request for PostgreSQL; DatabaseFault. */
    async make(to: string): Promise<BackupMade> {
      if (target.url) {
        throw new AppError('invalid_request', {
          message:
            'The database is PostgreSQL, which is backed up by its own tools: pg_dump --format=custom --file=FILE "$LATCHKEY_DATABASE_URL". After a pg_restore, and before the first start, run "latchkey restore --in-place".',
        });
      }
      const file = resolve(to);
      if (existsSync(file)) throw taken(file);
      const partial = `${file}.${randomBytes(4).toString('hex')}.partial`;
      try {
        await copyOnline(target.file, partial);
        const { size: bytes } = statSync(partial);
        await record({ bytes });
        if (!publish(partial, file)) throw taken(file);
        return { file, bytes };
      } finally {
        for (const suffix of ['', ...BESIDE]) rmSync(partial + suffix, { force: true });
      }
    },
  };
}

function taken(file: string): AppError {
  return new AppError('conflict', { message: `There is a file ${file} already; nothing is ever written over.` });
}

export type Backup = ReturnType<typeof createBackup>;
