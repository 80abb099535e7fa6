/** Rows of browsers that skip the second step of an account. The secret of a cookie is never stored, only its hash. */
import type { Database } from '../db/database.ts';
import { all, one, run } from '../db/statement.ts';

export interface RememberedRow {
  id: string;
  account_id: string;
  mac: string;
  user_agent: string | null;
  ip: string | null;
  created_at: number;
  last_used_at: number;
  expires_at: number;
}

export function createRememberedStore(db: Database) {
  return {
    /** Marks the one of these that belongs to the account as used now. */
    use: (accountId: string, macs: string[]) =>
      db.write(function* () {
        const now = Date.now();
        return yield* one<RememberedRow>(
          `UPDATE remembered_devices SET last_used_at = ? WHERE account_id = ? AND expires_at > ?
           AND mac IN (${macs.map(() => '?').join(', ')}) RETURNING *`,
          now,
          accountId,
          now,
          ...macs,
        );
      }),

    /** Living ones, the last used first. */
    ofAccount: (accountId: string) =>
      db.all<RememberedRow>(
        'SELECT * FROM remembered_devices WHERE account_id = ? AND expires_at > ? ORDER BY last_used_at DESC, id',
        accountId,
        Date.now(),
      ),

    // What follows are steps of a caller's unit of work.
    *insert(row: RememberedRow) {
      yield* run(
        `INSERT INTO remembered_devices (id, account_id, mac, user_agent, ip, created_at, last_used_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        row.id,
        row.account_id,
        row.mac,
        row.user_agent,
        row.ip,
        row.created_at,
        row.last_used_at,
        row.expires_at,
      );
    },

    /** The oldest beyond `most`, so that one account fills no table. */
    *trim(accountId: string, most: number) {
      const rows = yield* all<{ id: string }>(
        'SELECT id FROM remembered_devices WHERE account_id = ? ORDER BY last_used_at DESC, id LIMIT 1000',
        accountId,
      );
      for (const { id } of rows.slice(most)) yield* run('DELETE FROM remembered_devices WHERE id = ?', id);
    },

    *remove(accountId: string, id: string) {
      return yield* run('DELETE FROM remembered_devices WHERE account_id = ? AND id = ?', accountId, id);
    },

    *removeAll(accountId: string) {
      return yield* run('DELETE FROM remembered_devices WHERE account_id = ?', accountId);
    },

    purge: (limit: number) =>
      db.run(
        `DELETE FROM remembered_devices
         WHERE id IN (SELECT id FROM remembered_devices WHERE expires_at < ? LIMIT ?)`,
        Date.now(),
        limit,
      ),
  };
}

export type RememberedStore = ReturnType<typeof createRememberedStore>;
