/**
 * Whether the database takes a write: reading says nothing about a full disk, a lock or a read-only file. At most one
 * write a second, however many ask. The row belongs to this process, and after a failure it is another one: whoever
 * holds the lock of a row, an instance that vanished or a connection of our own that went silent, says nothing about
 * the database.
 */
import { randomUUID } from 'node:crypto';
import type { Database } from '../db/database.ts';
import { within } from '../patience.ts';

const FRESH_MS = 1000;
const KEPT_MS = 60_000;
/** Who asks waits no longer: balancers are impatient, and a database as slow as that is of no use. */
const PATIENCE_MS = 2000;
/** Of writes that are late each keeps a connection from others; more say no more. */
const MOST_UNDER_WAY = 2;

export interface WriteProbe {
  /** At most a second old, told within two. Does not throw. */
  state(): Promise<'up' | 'down'>;
}

export function createWriteProbe(db: Pick<Database, 'run'>): WriteProbe {
  let last: { at: number; state: Promise<'up' | 'down'> } | undefined;
  let row = newRow();
  let underWay = 0;

  async function write(): Promise<'up' | 'down'> {
    if (underWay >= MOST_UNDER_WAY) return 'down';
    underWay += 1;
    try {
      await db.run(
        `INSERT INTO rate_windows (id, hits, expires_at) VALUES (?, 1, ?)
         ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at`,
        row,
        Date.now() + KEPT_MS,
      );
      return 'up';
    } catch {
      return 'down';
    } finally {
      underWay -= 1;
    }
  }

  async function probe(): Promise<'up' | 'down'> {
    const state = await within(PATIENCE_MS, write(), 'down');
    if (state === 'down') row = newRow();
    return state;
  }

  return {
    state() {
      const now = performance.now();
      if (!last || now - last.at >= FRESH_MS) last = { at: now, state: probe() };
      return last.state;
    },
  };
}

/** Swept with its table when nobody renews it. */
function newRow(): string {
  return `write probe|${randomUUID()}`;
}
