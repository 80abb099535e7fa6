/**
 * Polls that must not come too often, of all processes together: the time of the last one and the pause that it has to
 * keep, in the table of rate windows. One statement a poll, so that two at the same time know of each other.
 */
import type { Database } from '../db/database.ts';
import { one } from '../db/statement.ts';

/** How long a poll is remembered: longer than any pause. */
const MEMORY_MS = 60_000;

/** `pauseMs`, and `longMs` for whoever came too early once; both with the tolerance taken off. */
export interface PollRules {
  pauseMs: number;
  longMs: number;
}

export function createPolls(db: Database) {
  return {
    /** Notes a poll. Resolves with whether it came too early. */
    async early(key: string, { pauseMs, longMs }: PollRules): Promise<boolean> {
      // `hits`: 2 for one that has to keep the long pause, and 1 more where this very poll was early.
      const row = await db.write(() =>
        one<{ hits: number }>(
          `INSERT INTO rate_windows (id, hits, expires_at) VALUES (?, 0, ?)
           ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at, hits = CASE
             WHEN excluded.expires_at - rate_windows.expires_at
               < CASE WHEN rate_windows.hits >= 2 THEN CAST(? AS INTEGER) ELSE CAST(? AS INTEGER) END THEN 3
             WHEN rate_windows.hits >= 2 THEN 2 ELSE 0 END
           RETURNING hits`,
          `poll:${key}`,
          Date.now() + MEMORY_MS,
          longMs,
          pauseMs,
        ),
      );
      return row?.hits === 3;
    },
  };
}

export type Polls = ReturnType<typeof createPolls>;
