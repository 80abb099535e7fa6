/** Rows of recovery codes. A code is never stored, only its keyed hash. */
import type { Database } from '../db/database.ts';
import { one, run } from '../db/statement.ts';

export interface CodeCount {
  total: number;
  left: number;
  createdAt: number;
  lastUsedAt: number | null;
}

interface CountRow {
  total: number | string;
  used: number | string;
  created_at: number | string | null;
  last_used_at: number | string | null;
}

const COUNT = `SELECT COUNT(*) AS total, COUNT(used_at) AS used, MAX(created_at) AS created_at,
  MAX(used_at) AS last_used_at FROM recovery_codes WHERE account_id = ?`;

export function createRecoveryCodeStore(db: Database) {
  return {
    /** Undefined where none were ever made. */
    async count(accountId: string): Promise<CodeCount | undefined> {
      return counted(await db.one<CountRow>(COUNT, accountId));
    },

    async known(accountId: string, macs: string[]): Promise<number> {
      const places = macs.map(() => '?').join(', ');
      const sql = `SELECT COUNT(*) AS known FROM recovery_codes WHERE account_id = ? AND mac IN (${places})`;
      return Number((await db.one<{ known: number }>(sql, accountId, ...macs))?.known ?? 0);
    },

    // What follows are steps of a caller's unit of work.
    /** Whether there were codes before. */
    *replace(accountId: string, macs: string[]) {
      const before = yield* run('DELETE FROM recovery_codes WHERE account_id = ?', accountId);
      for (const mac of macs) {
        const sql = 'INSERT INTO recovery_codes (account_id, mac, created_at) VALUES (?, ?, ?)';
        yield* run(sql, accountId, mac, Date.now());
      }
      return before > 0;
    },

    /** Compare-and-swap: true for exactly one caller. */
    *use(accountId: string, mac: string) {
      const sql = 'UPDATE recovery_codes SET used_at = ? WHERE account_id = ? AND mac = ? AND used_at IS NULL';
      return (yield* run(sql, Date.now(), accountId, mac)) === 1;
    },

    *countNow(accountId: string) {
      return counted(yield* one<CountRow>(COUNT, accountId));
    },

    *clear(accountId: string) {
      return yield* run('DELETE FROM recovery_codes WHERE account_id = ?', accountId);
    },
  };
}

export type RecoveryCodeStore = ReturnType<typeof createRecoveryCodeStore>;

function counted(row: CountRow | undefined): CodeCount | undefined {
  const total = Number(row?.total ?? 0);
  if (!row || total === 0) return undefined;
  return {
    total,
    left: total - Number(row.used),
    createdAt: Number(row.created_at),
    lastUsedAt: row.last_used_at === null ? null : Number(row.last_used_at),
  };
}
