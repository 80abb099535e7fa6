/** Rows of failed proofs. All are steps of the unit of work that decides whether a proof is looked at. */
import { NO_LONGER_MS } from '../artifacts/artifacts.ts';
import type { Database } from '../db/database.ts';
import { one, run } from '../db/statement.ts';

export interface Count {
  id: string;
  subject: string;
  /** Failures that are forgotten after `quietMs` without another; from then on after `memoryMs`. */
  few: number;
  quietMs: number;
  memoryMs: number;
  /** No failure is counted beyond it: what comes then is refused. */
  most: number;
}

export function createAttemptStore(db: Database) {
  return {
    /** Counts a failure ahead of the comparison. Its number, or undefined when it has to wait or is one too many. The
     * row stays locked until the unit ends, so that proofs at the same time stand in line. */
    *count({ id, subject, few, quietMs, memoryMs, most }: Count) {
      const now = Date.now();
      const row = yield* one<{ failures: number }>(
        `INSERT INTO attempts (id, subject, failures, last_at, next_at, told_at, expires_at) VALUES (?, ?, 1, ?, 0, 0, ?)
         ON CONFLICT (id) DO UPDATE SET
           failures = CASE WHEN (attempts.failures < ? AND attempts.last_at < ?) OR attempts.last_at < ? THEN 1
             ELSE attempts.failures + 1 END,
           last_at = excluded.last_at, expires_at = excluded.expires_at
         WHERE attempts.next_at <= ? AND (attempts.failures < ? OR attempts.last_at < ?)
         RETURNING failures`,
        id,
        subject,
        now,
        now + memoryMs,
        few,
        now - quietMs,
        now - memoryMs,
        now,
        most,
        now - memoryMs,
      );
      return row?.failures;
    },

    *waitUntil(id: string, at: number) {
      yield* run('UPDATE attempts SET next_at = ? WHERE id = ?', at, id);
    },

    *find(id: string) {
      return yield* one<{ failures: number; next_at: number }>(
        'SELECT failures, next_at FROM attempts WHERE id = ?',
        id,
      );
    },

    /** Whether nobody was told of this subject since; then somebody is now. */
    *tell(id: string, subject: string, since: number, expiresAt: number) {
      const now = Date.now();
      return (
        (yield* run(
          `INSERT INTO attempts (id, subject, failures, last_at, next_at, told_at, expires_at) VALUES (?, ?, 0, ?, 0, ?, ?)
           ON CONFLICT (id) DO UPDATE SET told_at = excluded.told_at WHERE attempts.told_at < ?`,
          id,
          subject,
          now,
          now,
          expiresAt,
          since,
        )) === 1
      );
    },

    /** A proof that was counted and not looked at. */
    *takeBack(id: string) {
      yield* run('UPDATE attempts SET failures = failures - 1 WHERE id = ? AND failures > 0', id);
    },

    *forget(id: string) {
      yield* run('DELETE FROM attempts WHERE id = ?', id);
    },

    *forgetSubject(subject: string) {
      yield* run('DELETE FROM attempts WHERE subject = ?', subject);
    },

    purge: (limit: number) =>
      db.run(
        'DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE expires_at < ? LIMIT ?)',
        Date.now() - NO_LONGER_MS,
        limit,
      ),
  };
}

export type AttemptStore = ReturnType<typeof createAttemptStore>;
