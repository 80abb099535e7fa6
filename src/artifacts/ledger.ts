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

const LOOK = `SELECT id, payload, consumed_at, ended_at, written_at FROM artifacts WHERE id = ? OR id = ?
  UNION ALL SELECT id, '', NULL, expires_at, NULL FROM tombstones WHERE id = ?`;
/** The id of a grant's own row has no colon: it is none of the others. */
const LOOK_LIVING = `${LOOK}
  UNION ALL SELECT g.id, g.payload, NULL, NULL, NULL FROM grants g WHERE g.id = ? AND ${GRANT_LIVES}`;

/** What a look found. */
export interface Known {
  row: LedgerRow | undefined;
  /** Here, or as a whole by `sessions`. */
  grantEnded: boolean;
  /** The grant's own row while it lives, where that was asked. */
  grant?: StoredGrant | undefined;
}

export function createLedger(db: Database) {
  const grantRow = (grantId: string) => `${GRANT}:${grantId}`;

  return {
    /** The row of a value, and whether its grant has ended. One statement. */
    async look(row: string, grantId: string | undefined): Promise<Known> {
      return known(await db.all<LedgerRow>(LOOK, ...idsOf(row, grantId)), row);
    },

    /** The same, with the grant itself while it lives. */
    async lookLiving(row: string, grantId: string | undefined): Promise<Known> {
      if (grantId === undefined) return known(await db.all<LedgerRow>(LOOK, ...idsOf(row, undefined)), row);
      return known(await db.all<LedgerRow>(LOOK_LIVING, ...idsOf(row, grantId), grantId), row, grantId);
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
    endGrant: (grantId: string, expiresAt: number) => end(GRANT, grantRow(grantId), expiresAt),
  };

  function idsOf(row: string, grantId: string | undefined): [string, string, string] {
    return grantId === undefined ? [row, NOTHING, NOTHING] : [row, grantRow(grantId), `grant:${grantId}`];
  }

  function known(rows: LedgerRow[], row: string, grantId?: string): Known {
    return {
      row: rows.find(({ id }) => id === row),
      grantEnded: rows.some(({ id }) => id !== row && id !== grantId),
      grant: grantId === undefined ? undefined : rows.find(({ id }) => id === grantId),
    };
  }

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
