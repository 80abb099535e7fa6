/** Rows of the operator's rules for addresses and networks. */
import { NO_LONGER_MS } from '../artifacts/artifacts.ts';
import type { Database } from '../db/database.ts';
import { run } from '../db/statement.ts';

export type Verdict = 'block' | 'allow';

export interface AddressRow {
  /** In its shortest form, with the length of its prefix. */
  network: string;
  verdict: Verdict;
  reason: string;
  created_at: number;
  expires_at: number | null;
}

export function createAddressStore(db: Database) {
  return {
    /** Those that hold now. */
    all: () =>
      db.all<AddressRow>(
        'SELECT * FROM address_rules WHERE expires_at IS NULL OR expires_at > ? ORDER BY created_at, network',
        Date.now(),
      ),

    // What follows are steps of a caller's unit of work.
    *put({ network, verdict, reason, created_at, expires_at }: AddressRow) {
      yield* run(
        `INSERT INTO address_rules (network, verdict, reason, created_at, expires_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (network) DO UPDATE SET verdict = excluded.verdict, reason = excluded.reason,
           created_at = excluded.created_at, expires_at = excluded.expires_at`,
        network,
        verdict,
        reason,
        created_at,
        expires_at,
      );
    },

    *remove(network: string) {
      return yield* run('DELETE FROM address_rules WHERE network = ?', network);
    },

    purge: (limit: number) =>
      db.run(
        'DELETE FROM address_rules WHERE network IN (SELECT network FROM address_rules WHERE expires_at < ? LIMIT ?)',
        Date.now() - NO_LONGER_MS,
        limit,
      ),
  };
}
