/**
 * Whether the database takes a write: reading says nothing about a full disk, a lock or a read-only file. One row, and
 * at most one write a second, however many ask.
 */
import type { Database } from '../db/database.ts';

const FRESH_MS = 1000;
const KEPT_MS = 60_000;

export interface WriteProbe {
  /** At most a second old. Does not throw. */
  state(): Promise<'up' | 'down'>;
}

export function createWriteProbe(db: Pick<Database, 'run'>): WriteProbe {
  let last: { at: number; state: Promise<'up' | 'down'> } | undefined;

  const probe = () =>
    db
      .run(
        `INSERT INTO rate_windows (id, hits, expires_at) VALUES ('write probe', 1, ?)
         ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at`,
        Date.now() + KEPT_MS,
      )
      .then(
        () => 'up' as const,
        () => 'down' as const,
      );

  return {
    state() {
      const now = performance.now();
      if (!last || now - last.at >= FRESH_MS) last = { at: now, state: probe() };
      return last.state;
    },
  };
}
