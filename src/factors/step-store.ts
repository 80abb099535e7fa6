/** Rows of what was proved in a sign-in under way, by its flow. */
import type { Database } from '../db/database.ts';
import { one, run, type Steps } from '../db/statement.ts';

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

/** Tries at second factors in one flow; then nothing that was proved in it counts any more. */
export const TRIES = 5;

export function createStepStore(db: Database) {
  return {
    async find(flow: string): Promise<Step | undefined> {
      const row = await db.one<Row>(
        'SELECT * FROM sign_in_steps WHERE flow = ? AND expires_at > ? AND attempts < ?',
        flow,
        Date.now(),
        TRIES,
      );
      return row && { accountId: row.account_id, amr: row.amr.split(' '), authTime: row.auth_time };
    },

    /** Replaces what was proved before in this flow. The count of tries goes on: no page that is opened again, and no
     * password that is typed again, gives more of them. */
    put: (flow: string, { accountId, amr, authTime }: Step, expiresAt: number) =>
      db.run(
        `INSERT INTO sign_in_steps (flow, account_id, amr, attempts, auth_time, expires_at) VALUES (?, ?, ?, 0, ?, ?)
         ON CONFLICT (flow) DO UPDATE SET account_id = excluded.account_id, amr = excluded.amr,
           auth_time = excluded.auth_time, expires_at = excluded.expires_at`,
        flow,
        accountId,
        amr.join(' '),
        authTime,
        expiresAt,
      ),

    /** Counts a try before anybody compares. Resolves with the tries that are left, undefined when there was none. */
    count: (flow: string) =>
      db.write(function* () {
        const row = yield* one<{ attempts: number }>(
          `UPDATE sign_in_steps SET attempts = attempts + 1 WHERE flow = ? AND attempts < ? AND expires_at > ?
           RETURNING attempts`,
          flow,
          TRIES,
          Date.now(),
        );
        return row && TRIES - row.attempts;
      }),

    /** Steps of a caller's unit of work: what was proved for this account in any flow is worth nothing any more. */
    *endAll(accountId: string): Steps<void> {
      yield* run('DELETE FROM sign_in_steps WHERE account_id = ?', accountId);
    },

    purge: (limit: number) =>
      db.run(
        'DELETE FROM sign_in_steps WHERE flow IN (SELECT flow FROM sign_in_steps WHERE expires_at < ? LIMIT ?)',
        Date.now(),
        limit,
      ),
  };
}

export type StepStore = ReturnType<typeof createStepStore>;
