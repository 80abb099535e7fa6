/** Rows of what was proved in a sign-in under way, by its flow. */
import type { Database } from '../db/database.ts';
import { one, run, type Steps } from '../db/statement.ts';

export interface Step {
  accountId: string;
  /** Methods that were proved, RFC 8176. */
  amr: string[];
  /** When the first of them was, in seconds since 1970. */
  authTime: number;
  /** The account's `signedOutAt` when it was proved: with another one it is worth nothing. */
  epoch: number;
}

interface Row {
  account_id: string;
  amr: string;
  attempts: number;
  auth_time: number;
  signed_out_at: number;
}

/** Tries at second factors in one flow; then nothing that was proved in it counts any more. */
export const TRIES = 5;

const HELD = `FROM sign_in_steps s JOIN accounts a ON a.id = s.account_id
  WHERE s.flow = ? AND COALESCE(s.epoch, a.signed_out_at) = a.signed_out_at`;

export function createStepStore(db: Database) {
  return {
    async find(flow: string): Promise<Step | undefined> {
      const row = await db.one<Row>(
        `SELECT s.*, a.signed_out_at ${HELD} AND s.expires_at > ? AND s.attempts < ?`,
        flow,
        Date.now(),
        TRIES,
      );
      if (!row) return undefined;
      const { account_id: accountId, amr, auth_time: authTime, signed_out_at: epoch } = row;
      return { accountId, amr: amr.split(' '), authTime, epoch };
    },

    /** Replaces what was proved before in this flow. The count of tries goes on: no page that is opened again, and no
     * password that is typed again, gives more of them. */
    put: (flow: string, { accountId, amr, authTime, epoch }: Step, expiresAt: number) =>
      db.run(
        `INSERT INTO sign_in_steps (flow, account_id, amr, attempts, auth_time, epoch, expires_at)
         VALUES (?, ?, ?, 0, ?, ?, ?)
         ON CONFLICT (flow) DO UPDATE SET account_id = excluded.account_id, amr = excluded.amr,
           auth_time = excluded.auth_time, epoch = excluded.epoch, expires_at = excluded.expires_at`,
        flow,
        accountId,
        amr.join(' '),
        authTime,
        epoch,
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

    // Steps of a caller's unit of work.
    /** Whether what was proved for this account in this flow still counts. */
    *holds(flow: string, accountId: string): Steps<boolean> {
      return (yield* one(`SELECT 1 AS held ${HELD} AND a.id = ?`, flow, accountId)) !== undefined;
    },

    /** What was proved for this account is worth nothing any more, but in the flow that is kept. */
    *endAll(accountId: string, kept = ''): Steps<void> {
      yield* run('DELETE FROM sign_in_steps WHERE account_id = ? AND flow <> ?', accountId, kept);
      const now = '(SELECT signed_out_at FROM accounts WHERE id = account_id)';
      if (kept !== '') yield* run(`UPDATE sign_in_steps SET epoch = ${now} WHERE flow = ?`, kept);
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
