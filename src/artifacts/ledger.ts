/**
 * What SQL knows of artifacts whose values may be in Redis: which were consumed, which were ended, and the values
 * that were written while Redis was away. Every refusal rests here, so Redis may forget, go back in time, or return
 * with old values, and opens nothing again.
 */
import type { Database } from '../db/database.ts';
import type { StoredGrant } from './artifacts.ts';
import { GRANT_LIVES } from './sql.ts';

export interface LedgerRow {
  id: string;
  /** Sealed; empty when the value itself is not here. */
  payload: string;
  consumed_at: number | null;
  ended_at: number | null;
  written_at: number | null;
}

/** Marks are for grants too; no kind of the protocol core is named so in this table. */
const GRANT = 'Grant';
const NOTHING = '-';

const CONSUME = `INSERT INTO artifacts (id, kind, payload, consumed_at, expires_at) VALUES (?, ?, '', ?, ?)
  ON CONFLICT (id) DO UPDATE SET consumed_at = excluded.consumed_at,
    expires_at = CASE WHEN artifacts.expires_at > excluded.expires_at THEN artifacts.expires_at
      ELSE excluded.expires_at END
  WHERE artifacts.consumed_at IS NULL AND artifacts.ended_at IS NULL`;

/** One row in any case. An ended grant has left a mark here, or a tombstone when it was ended as a whole. */
const LOOK = `SELECT a.id, a.payload, a.consumed_at, a.ended_at, a.written_at,
    (SELECT 1 FROM artifacts e WHERE e.id = ?) AS ended_here, (SELECT 1 FROM tombstones t WHERE t.id = ?) AS ended,
    (SELECT g.payload FROM grants g WHERE g.id = ? AND ${GRANT_LIVES}) AS grant_payload
  FROM (SELECT 1 AS always) AS always LEFT JOIN artifacts a ON a.id = ?`;

interface LookRow extends Omit<LedgerRow, 'id'> {
  id: string | null;
  ended_here: number | null;
  ended: number | null;
  grant_payload: string | null;
}

/** What a look found. */
export interface Known {
  row: LedgerRow | undefined;
  /** Here, or as a whole by `sessions`. */
  grantEnded: boolean;
  /** The grant's own row while it lives. */
  grant?: StoredGrant | undefined;
}

export function createLedger(db: Database) {
  return {
    /** The row of a value, whether its grant has ended, and the grant while it lives. One statement. */
    async look(row: string, grantId: string = NOTHING): Promise<Known> {
      const found = await db.one<LookRow>(LOOK, `${GRANT}:${grantId}`, `grant:${grantId}`, grantId, row);
      const { id = null, ended_here = null, ended = null, grant_payload = null } = found ?? {};
      return {
        row: id === null ? undefined : (found as LedgerRow),
        grantEnded: ended_here !== null || ended !== null,
        grant: grant_payload === null ? undefined : { id: grantId, payload: grant_payload },
      };
    },

    async rowOfUserCode(hash: string): Promise<string | undefined> {
      return (await db.one<{ id: string }>('SELECT id FROM artifacts WHERE user_code = ?', hash))?.id;
    },

    /** True for exactly one caller, for good: the mark stays until `expiresAt` and longer than the value. */
    async consume(kind: string, row: string, expiresAt: number): Promise<boolean> {
      return (await db.run(CONSUME, row, kind, Date.now(), expiresAt)) === 1;
    },

    /** The same, taken for won: whoever was later fails with `lost`, at the latest at the end of its request. */
    claim: (kind: string, row: string, expiresAt: number, lost: () => Error): Promise<void> =>
      db.claim(lost, CONSUME, row, kind, Date.now(), expiresAt),

    /** What is ended is never found again, whatever is written afterwards. */
    end: (kind: string, row: string, expiresAt: number) => end(kind, row, expiresAt),
    endGrant: (grantId: string, expiresAt: number) => end(GRANT, `${GRANT}:${grantId}`, expiresAt),
  };

  async function end(kind: string, row: string, expiresAt: number): Promise<void> {
    await db.run(
      `INSERT INTO artifacts (id, kind, payload, ended_at, expires_at) VALUES (?, ?, '', ?, ?)
       ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, payload = '', user_code = NULL,
         expires_at = CASE WHEN artifacts.expires_at > excluded.expires_at THEN artifacts.expires_at
           ELSE excluded.expires_at END`,
      row,
      kind,
      Date.now(),
      expiresAt,
    );
  }
}

export type Ledger = ReturnType<typeof createLedger>;
