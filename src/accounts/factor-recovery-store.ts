/** Rows of the waiting times after which lost factors may be removed: at most one an account. */
import type { Database } from '../db/database.ts';
import { run } from '../db/statement.ts';

export interface FactorRecoveryRow {
  id: string;
  account_id: string;
  requested_at: number;
  ends_at: number;
  reminded_at: number | null;
  finished_at: number | null;
}

export function createFactorRecoveryStore(db: Database) {
  return {
    of: (accountId: string) =>
      db.one<FactorRecoveryRow>('SELECT * FROM factor_recoveries WHERE account_id = ?', accountId),

    /** Half of whose time is over, and that nobody was reminded of. */
    toRemind: (limit: number) =>
      db.all<FactorRecoveryRow>(
        `SELECT * FROM factor_recoveries WHERE finished_at IS NULL AND reminded_at IS NULL AND ends_at > ?
         AND requested_at + ends_at <= ? ORDER BY ends_at LIMIT ?`,
        Date.now(),
        2 * Date.now(),
        limit,
      ),

    /** Open ones whose end was before `before`. */
    openBefore: (before: number, limit: number) =>
      db.all<FactorRecoveryRow>(
        'SELECT * FROM factor_recoveries WHERE finished_at IS NULL AND ends_at <= ? ORDER BY ends_at LIMIT ?',
        before,
        limit,
      ),

    /** Finished before `before`. */
    purge: (before: number, limit: number) =>
      db.run(
        'DELETE FROM factor_recoveries WHERE id IN (SELECT id FROM factor_recoveries WHERE finished_at <= ? LIMIT ?)',
        before,
        limit,
      ),

    // What follows are steps of a caller's unit of work. Each is 1 for exactly one caller.
    *insert({ id, account_id: accountId, requested_at: from, ends_at: until }: FactorRecoveryRow) {
      return yield* run(
        `INSERT INTO factor_recoveries (id, account_id, requested_at, ends_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (account_id) DO NOTHING`,
        id,
        accountId,
        from,
        until,
      );
    },

    *remind(id: string) {
      const sql =
        'UPDATE factor_recoveries SET reminded_at = ? WHERE id = ? AND reminded_at IS NULL AND finished_at IS NULL';
      return yield* run(sql, Date.now(), id);
    },

    /** Of an account, whatever its time, unless it is finished. */
    *remove(accountId: string) {
      return yield* run('DELETE FROM factor_recoveries WHERE account_id = ? AND finished_at IS NULL', accountId);
    },

    /** Its time has come, and has not lapsed: it ended after `since`. */
    *finish(accountId: string, id: string, since: number) {
      return yield* run(
        `UPDATE factor_recoveries SET finished_at = ?
         WHERE account_id = ? AND id = ? AND finished_at IS NULL AND ends_at <= ? AND ends_at > ?`,
        Date.now(),
        accountId,
        id,
        Date.now(),
        since,
      );
    },
  };
}

export type FactorRecoveryStore = ReturnType<typeof createFactorRecoveryStore>;
