/** Rows of the outbox. Payloads are sealed: they may carry one-time codes. */
import type { Database } from '../db/database.ts';
import { all, run } from '../db/statement.ts';
import type { Keyring } from '../keyring/keyring.ts';

export interface Job {
  id: string;
  kind: string;
  payload: unknown;
  attempts: number;
  createdAt: number;
  expiresAt: number;
}

interface Row {
  id: string;
  kind: string;
  payload: string;
  attempts: number;
  created_at: number;
  expires_at: number;
}

export function createOutboxStore({ db, keyring }: { db: Database; keyring: Keyring }) {
  const context = (id: string) => `outbox|payload|${id}`;

  return {
    /** Part of the caller's unit of work: the job exists exactly when the change does. */
    *insert(job: { id: string; kind: string; payload: unknown; expiresAt: number }) {
      const now = Date.now();
      yield* run(
        `INSERT INTO outbox (id, kind, state, payload, attempts, created_at, due_at, leased_until, expires_at)
         VALUES (?, ?, 'waiting', ?, 0, ?, ?, 0, ?)`,
        job.id,
        job.kind,
        keyring.sealJson('outbox', job.payload, context(job.id)),
        now,
        now,
        job.expiresAt,
      );
    },

    /** Takes at most `limit` due jobs for `leaseMs`; each goes to one worker. */
    async claim(limit: number, leaseMs: number): Promise<Job[]> {
      const now = Date.now();
      const rows = await db.write(function* () {
        return yield* all<Row>(
          `UPDATE outbox SET leased_until = ?, attempts = attempts + 1 WHERE id IN (
             SELECT id FROM outbox WHERE state = 'waiting' AND due_at <= ? AND leased_until < ? ORDER BY due_at LIMIT ?
           ) AND leased_until < ? RETURNING id, kind, payload, attempts, created_at, expires_at`,
          now + leaseMs,
          now,
          now,
          limit,
          now,
        );
      });
      return rows.map((row) => ({
        id: row.id,
        kind: row.kind,
        payload: keyring.openJson('outbox', row.payload, context(row.id)),
        attempts: row.attempts,
        createdAt: row.created_at,
        expiresAt: row.expires_at,
      }));
    },

    async done(id: string): Promise<void> {
      await db.run('DELETE FROM outbox WHERE id = ?', id);
    },

    async retry(id: string, dueAt: number, error: string): Promise<void> {
      await db.run('UPDATE outbox SET due_at = ?, leased_until = 0, last_error = ? WHERE id = ?', dueAt, error, id);
    },

    /** Kept for the operator, without the payload's secrets being of use any more. */
    async bury(id: string, error: string): Promise<void> {
      await db.run("UPDATE outbox SET state = 'dead', leased_until = 0, last_error = ? WHERE id = ?", error, id);
    },

    /** When the next waiting job is due, in milliseconds since 1970. */
    async nextDue(): Promise<number | undefined> {
      const row = await db.one<{ due: number | null }>(
        `SELECT MIN(CASE WHEN leased_until > due_at THEN leased_until ELSE due_at END) AS due
         FROM outbox WHERE state = 'waiting'`,
      );
      return row?.due ?? undefined;
    },
  };
}

export type OutboxStore = ReturnType<typeof createOutboxStore>;
