/** Rows of the outbox. Payloads are sealed: they may carry one-time codes. A worker's changes hold only while the
 * number of attempts is the one that it claimed: who lost the lease changes nothing any more. */
import type { Database } from '../db/database.ts';
import { all, one, run } from '../db/statement.ts';
import type { Keyring } from '../keyring/keyring.ts';

export interface Claim {
  id: string;
  attempts: number;
}

export interface Job extends Claim {
  /** @throws Error when the stored value can't be opened. */
  payload(): unknown;
  expiresAt: number;
}

export type LetterState = 'waiting' | 'dead';

/** What an operator sees of a job. */
export interface LetterRow {
  id: string;
  kind: string;
  state: LetterState;
  attempts: number;
  last_error: string | null;
  created_at: number;
  due_at: number;
  expires_at: number;
}

interface Row {
  id: string;
  payload: string;
  attempts: number;
  expires_at: number;
}

const LETTER = 'id, kind, state, attempts, last_error, created_at, due_at, expires_at';
const MAX_ERROR = 1000;

const DUE = "kind = ? AND state = 'waiting' AND due_at <= ? AND leased_until < ?";
export const LOOK = `SELECT 1 AS due FROM outbox WHERE ${DUE} LIMIT 1`;
export const CLAIM = `UPDATE outbox SET leased_until = ?, attempts = attempts + 1 WHERE id IN (
    SELECT id FROM outbox WHERE ${DUE} ORDER BY due_at LIMIT ?
  ) AND leased_until < ? RETURNING id, payload, attempts, expires_at`;

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
    async claim(kind: string, limit: number, leaseMs: number): Promise<Job[]> {
      const now = Date.now();
      if (!(await db.one(LOOK, kind, now, now))) return [];
      const rows = await db.write(() => all<Row>(CLAIM, now + leaseMs, kind, now, now, limit, now));
      return rows.map((row) => ({
        id: row.id,
        payload: () => keyring.openJson('outbox', row.payload, context(row.id)),
        attempts: row.attempts,
        expiresAt: row.expires_at,
      }));
    },

    async renew({ id, attempts }: Claim, leaseMs: number): Promise<void> {
      await db.run(
        "UPDATE outbox SET leased_until = ? WHERE id = ? AND attempts = ? AND state = 'waiting'",
        Date.now() + leaseMs,
        id,
        attempts,
      );
    },

    async done({ id, attempts }: Claim): Promise<void> {
      await db.run('DELETE FROM outbox WHERE id = ? AND attempts = ?', id, attempts);
    },

    async retry({ id, attempts }: Claim, dueAt: number, error: string): Promise<void> {
      await db.run(
        'UPDATE outbox SET due_at = ?, leased_until = 0, last_error = ? WHERE id = ? AND attempts = ?',
        dueAt,
        error.slice(0, MAX_ERROR),
        id,
        attempts,
      );
    },

    /** Kept for the operator; `due_at` says since when. */
    async bury({ id, attempts }: Claim, error: string): Promise<void> {
      await db.run(
        "UPDATE outbox SET state = 'dead', due_at = ?, leased_until = 0, last_error = ? WHERE id = ? AND attempts = ?",
        Date.now(),
        error.slice(0, MAX_ERROR),
        id,
        attempts,
      );
    },

    /** Mail that waits for an address or could not be brought to it, for its owner: what kind, never what it says. */
    async mailsTo(address: string): Promise<Array<LetterRow & { template: string }>> {
      const found: Array<LetterRow & { template: string }> = [];
      for (let after = ''; ; ) {
        const rows = await db.all<LetterRow & Row>(
          "SELECT * FROM outbox WHERE kind = 'mail' AND id > ? ORDER BY id LIMIT 200",
          after,
        );
        for (const { payload, ...row } of rows) {
          const mail = keyring.openJson<{ to?: string; template: string }>('outbox', payload, context(row.id));
          if (mail.to === address) found.push({ ...row, template: mail.template });
        }
        if (rows.length < 200) return found;
        after = rows.at(-1)?.id as string;
      }
    },

    /** Oldest first, after the job `cursor`. */
    list: (state: LetterState | undefined, limit: number, cursor = '') =>
      db.all<LetterRow>(
        `SELECT ${LETTER} FROM outbox WHERE id > ? AND (? = '' OR state = ?) ORDER BY id LIMIT ?`,
        cursor,
        state ?? '',
        state ?? '',
        limit,
      ),

    // What follows are steps of a caller's unit of work.
    *find(id: string) {
      return yield* one<LetterRow>(`SELECT ${LETTER} FROM outbox WHERE id = ?`, id);
    },

    /** Due again, as if new. */
    *revive(id: string, expiresAt: number) {
      return yield* run(
        "UPDATE outbox SET state = 'waiting', due_at = ?, expires_at = ?, attempts = attempts + 1 WHERE id = ? AND state = 'dead'",
        Date.now(),
        expiresAt,
        id,
      );
    },

    /** Due now, unless it is being delivered. */
    *hasten(id: string) {
      const now = Date.now();
      return yield* run(
        "UPDATE outbox SET due_at = ? WHERE id = ? AND state = 'waiting' AND leased_until < ?",
        now,
        id,
        now,
      );
    },

    *discard(id: string) {
      return yield* run('DELETE FROM outbox WHERE id = ?', id);
    },

    /** Dead since before `before`. */
    purge: (before: number, limit: number) =>
      db.run(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'dead' AND due_at < ? LIMIT ?)",
        before,
        limit,
      ),
  };
}

export type OutboxStore = ReturnType<typeof createOutboxStore>;
