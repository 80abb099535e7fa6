/** Rows of what was proved in a sign-in under way, by its flow. */
import type { Database } from '../db/database.ts';
import { one, run } from '../db/statement.ts';

export interface Step {
  accountId: string;
  /** Methods that were proved, RFC 8176. */
  amr: string[];
  /** When the first of them was, in seconds since 1970. */
  authTime: number;
}

interface Row {
  account_id: string;
  amr: string;
  attempts: number;
  auth_time: number;
}

export function createStepStore(db: Database) {
  return {
    async find(flow: string): Promise<Step | undefined> {
      const row = await db.one<Row>('SELECT * FROM sign_in_steps WHERE flow = ? AND expires_at > ?', flow, Date.now());
      return row && { accountId: row.account_id, amr: row.amr.split(' '), authTime: row.auth_time };
    },

    /** Replaces what was proved before in this flow, with its count of tries. */
    put: (flow: string, { accountId, amr, authTime }: Step, expiresAt: number) =>
      db.run(
        `INSERT INTO sign_in_steps (flow, account_id, amr, attempts, auth_time, expires_at) VALUES (?, ?, ?, 0, ?, ?)
         ON CONFLICT (flow) DO UPDATE SET account_id = excluded.account_id, amr = excluded.amr, attempts = 0,
           auth_time = excluded.auth_time, expires_at = excluded.expires_at`,
        flow,
        accountId,
        amr.join(' '),
        authTime,
        expiresAt,
      ),

    /** Counts a try before anybody compares. Resolves with the tries so far, undefined when none is left. */
    count: (flow: string, most: number) =>
      db.write(function* () {
        const row = yield* one<{ attempts: number }>(
          `UPDATE sign_in_steps SET attempts = attempts + 1 WHERE flow = ? AND attempts < ? AND expires_at > ?
           RETURNING attempts`,
          flow,
          most,
          Date.now(),
        );
        return row?.attempts;
      }),

    /** Exactly one caller finishes a flow. */
    drop: (flow: string) =>
      db.write(function* () {
        return (yield* run('DELETE FROM sign_in_steps WHERE flow = ?', flow)) === 1;
      }),

    purge: (limit: number) =>
      db.run(
        'DELETE FROM sign_in_steps WHERE flow IN (SELECT flow FROM sign_in_steps WHERE expires_at < ? LIMIT ?)',
        Date.now(),
        limit,
      ),
  };
}

export type StepStore = ReturnType<typeof createStepStore>;
