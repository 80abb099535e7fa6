/** Sliding windows of counters, in SQL (durable, shared by instances) or in memory (bounded, of one process). */
import type { Database } from '../db/database.ts';
import { one, run } from '../db/statement.ts';

export interface Windows {
  /** Counts one hit. Resolves with the hits of the last `durationMs` including this one, weighing the window before
   * by the part of it that still counts. */
  hit(key: string, durationMs: number): Promise<number>;
}

const slide = (before: number, now: number, durationMs: number, current: number) =>
  before * (1 - (now % durationMs) / durationMs) + current;

export interface SqlWindows extends Windows {
  /** Undoes one hit of the window of this moment. */
  takeBack(key: string, durationMs: number): Promise<void>;
  purge(limit: number): Promise<number>;
}

/** Steps of `hit`, for a caller's unit of work. */
export function* hitWindow(key: string, durationMs: number, now = Date.now()) {
  const index = Math.floor(now / durationMs);
  const current = yield* one<{ hits: number }>(
    `INSERT INTO rate_windows (id, hits, expires_at) VALUES (?, 1, ?)
     ON CONFLICT (id) DO UPDATE SET hits = rate_windows.hits + 1 RETURNING hits`,
    `${key}|${index}`,
    (index + 2) * durationMs,
  );
  const before = yield* one<{ hits: number }>('SELECT hits FROM rate_windows WHERE id = ?', `${key}|${index - 1}`);
  return slide(before?.hits ?? 0, now, durationMs, current?.hits ?? 1);
}

/** Steps of `takeBack`, of a hit at this time. */
export function* takeBackHit(key: string, durationMs: number, at = Date.now()) {
  const index = Math.floor(at / durationMs);
  yield* run('UPDATE rate_windows SET hits = hits - 1 WHERE id = ? AND hits > 0', `${key}|${index}`);
}

export function createSqlWindows(db: Database): SqlWindows {
  return {
    hit: (key, durationMs) => db.write(() => hitWindow(key, durationMs)),
    takeBack: (key, durationMs) => db.write(() => takeBackHit(key, durationMs)),

    purge: (limit) =>
      db.run(
        'DELETE FROM rate_windows WHERE id IN (SELECT id FROM rate_windows WHERE expires_at < ? LIMIT ?)',
        Date.now(),
        limit,
      ),
  };
}

interface Window {
  index: number;
  before: number;
  current: number;
}

/** For limits whose loss in a restart is no harm; the least recently seen source is forgotten first. Grows with the
 * sources that are seen: a cache that reserves its room at once would hold megabytes for nobody. */
export function createMemoryWindows({ sources = 100_000 }: { sources?: number } = {}): Windows {
  // A Map keeps the order of insertion.
  const windows = new Map<string, Window>();
  return {
    async hit(key, durationMs) {
      const now = Date.now();
      const index = Math.floor(now / durationMs);
      const known = windows.get(key);
      const before = known?.index === index ? known.before : known?.index === index - 1 ? known.current : 0;
      const current = (known?.index === index ? known.current : 0) + 1;
      if (known) windows.delete(key);
      else if (windows.size >= sources) windows.delete(windows.keys().next().value as string);
      windows.set(key, { index, before, current });
      return slide(before, now, durationMs, current);
    },
  };
}
