/** The rows of the wrapped data keys. */
import type { Database } from '../db/database.ts';
import { all, run } from '../db/statement.ts';

export interface DataKeyRow {
  purpose: string;
  wrapped: string;
}

export interface DataKeyStore {
  /** Adds the rows whose purpose is new, and resolves with every row: the first process to come decides. */
  ensure(rows: DataKeyRow[]): Promise<DataKeyRow[]>;
}

export function createDataKeyStore(db: Database): DataKeyStore {
  return {
    ensure: (rows) =>
      db.write(function* () {
        for (const { purpose, wrapped } of rows) {
          yield* run(
            'INSERT INTO data_keys (purpose, wrapped, created_at) VALUES (?, ?, ?) ON CONFLICT (purpose) DO NOTHING',
            purpose,
            wrapped,
            Date.now(),
          );
        }
        return yield* all<DataKeyRow>('SELECT purpose, wrapped FROM data_keys');
      }),
  };
}
