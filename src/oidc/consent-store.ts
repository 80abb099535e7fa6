/** What people allowed other people's applications, remembered beyond a session. */
import type { Database } from '../db/database.ts';
import { run } from '../db/statement.ts';
import type { Allowed } from './grants.ts';

export interface ConsentRow {
  client_id: string;
  granted: string;
  created_at: number;
  updated_at: number;
}

export function createConsentStore(db: Database) {
  const store = {
    async find(accountId: string, clientId: string): Promise<Allowed | undefined> {
      const row = await db.one<ConsentRow>(
        'SELECT * FROM consents WHERE account_id = ? AND client_id = ?',
        accountId,
        clientId,
      );
      return row && (JSON.parse(row.granted) as Allowed);
    },

    /** Steps. */
    *remember(accountId: string, clientId: string, allowed: Allowed) {
      const now = Date.now();
      yield* run(
        `INSERT INTO consents (account_id, client_id, granted, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (account_id, client_id) DO UPDATE SET granted = excluded.granted, updated_at = excluded.updated_at`,
        accountId,
        clientId,
        JSON.stringify(allowed),
        now,
        now,
      );
    },

    async ofAccount(accountId: string): Promise<Array<{ clientId: string; allowed: Allowed; since: number }>> {
      const rows = await db.all<ConsentRow>(
        'SELECT * FROM consents WHERE account_id = ? ORDER BY client_id',
        accountId,
      );
      return rows.map((row) => ({
        clientId: row.client_id,
        allowed: JSON.parse(row.granted) as Allowed,
        since: row.created_at,
      }));
    },
  };
  return store;
}

export type ConsentStore = ReturnType<typeof createConsentStore>;
