/** Sliding windows of counters in SQL: durable, and shared by instances. */
import type { Database } from '../db/database.ts';
import { one, run } from '../db/statement.ts';
import { type Counts, slide, type Windows } from './windows.ts';

export interface SqlWindows extends Windows {
  /** Counts several hits at once. Resolves with what the window of `now` and the one before it hold then. */
  count(key: string, durationMs: number, now: number, hits: number): Promise<Counts>;
  /** Undoes one hit of the window of this moment. */
  takeBack(key: string, durationMs: number): Promise<void>;
  /** Whether the window of this moment, or the one before it, has a hit. */
  has(key: string, durationMs: number): Promise<boolean>;
  purge(limit: number): Promise<number>;
}

/** Steps of `count`. */
export function* countWindow(key: string, durationMs: number, now: number, hits: number) {
  const index = Math.floor(now / durationMs);
  const current = yield* one<{ hits: number }>(
    `INSERT INTO rate_windows (id, hits, expires_at) VALUES (?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET hits = rate_windows.hits + excluded.hits RETURNING hits`,
    `${key}|${index}`,
    hits,
    (index + 2) * durationMs,
  );
  const before = yield* one<{ hits: number }>('SELECT hits FROM rate_windows WHERE id = ?', `${key}|${index - 1}`);
  return { current: current?.hits ?? hits, before: before?.hits ?? 0 };
}

/** Steps of `hit`, for a caller's unit of work. */
export function* hitWindow(key: string, durationMs: number, now = Date.now()) {
  return slide(yield* countWindow(key, durationMs, now, 1), now, durationMs);
}

/** Steps of `takeBack`, of a hit at this time. */
export function* takeBackHit(key: string, durationMs: number, at = Date.now()) {
  const index = Math.floor(at / durationMs);
  yield* run('UPDATE rate_windows SET hits = hits - 1 WHERE id = ? AND hits > 0', `${key}|${index}`);
}

export function createSqlWindows(db: Database): SqlWindows {
  return {
    hit: (key, durationMs) => db.write(() => hitWindow(key, durationMs)),
    count: (key, durationMs, now, hits) => db.write(() => countWindow(key, durationMs, now, hits)),
    takeBack: (key, durationMs) => db.write(() => takeBackHit(key, durationMs)),

    async has(key, durationMs) {
      const index = Math.floor(Date.now() / durationMs);
      const sql = 'SELECT id FROM rate_windows WHERE id IN (?, ?) AND hits > 0 LIMIT 1';
      return (await db.one(sql, `${key}|${index}`, `${key}|${index - 1}`)) !== undefined;
    },

    purge: (limit) =>
      db.run(
        'DELETE FROM rate_windows WHERE id IN (SELECT id FROM rate_windows WHERE expires_at < ? LIMIT ?)',
        Date.now(),
        limit,
      ),
  };
}
