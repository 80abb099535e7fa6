/** The rows of the wrapped data keys. */
import type { Database } from '../db/database.ts';
import { all, run, type Steps } from '../db/statement.ts';

export interface DataKeyRow {
  purpose: string;
  wrapped: string;
}

export interface DataKeyStore {
  all(): Promise<DataKeyRow[]>;
  /** Adds the rows whose purpose is new, and resolves with every row: the first process to come decides. */
  ensure(rows: DataKeyRow[]): Promise<DataKeyRow[]>;
  /** Puts another wrapping in the place of exactly this one; nothing when somebody else was first. `more` is of the same
   * unit of work. */
  rewrap(row: DataKeyRow, wrapped: string, more?: () => Steps<void>): Promise<void>;
  /** Steps: another key for this purpose. */
  replace(purpose: string, wrapped: string): Steps<void>;
}

export function createDataKeyStore(db: Database): DataKeyStore {
  return {
    all: () => db.all<DataKeyRow>('SELECT purpose, wrapped FROM data_keys ORDER BY purpose'),

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

    rewrap: ({ purpose, wrapped: former }, wrapped, more) =>
      db.write(function* () {
        yield* run('UPDATE data_keys SET wrapped = ? WHERE purpose = ? AND wrapped = ?', wrapped, purpose, former);
        if (more) yield* more();
      }),

    *replace(purpose, wrapped) {
      yield* run('UPDATE data_keys SET wrapped = ?, created_at = ? WHERE purpose = ?', wrapped, Date.now(), purpose);
    },
  };
}
