/** What was ended stays ended, whatever a request that was under way writes afterwards, and whatever a volatile store
 * brings back: a tombstone says no for each of them. It leaves when nothing can be left for it to close. */
import type { Database } from '../db/database.ts';
import { one, run } from '../db/statement.ts';

/**
 * Longer than anything lives that a tombstone may have to close, each begun at the moment of the end. With the largest
 * settings: a grant for 396 days (a session's 30, a chain's 365 and one), a refresh token for 365, a session for 30, a
 * value of a volatile store for one. The days above are for clocks.
 */
const LIFE_MS = 400 * 86_400_000;

/** Rows of what a tombstone closes; `substr` gives the name behind `grant:` and `session:`. */
const CLOSED = [
  'SELECT 1 FROM grants WHERE id = substr(t.id, 7)',
  'SELECT 1 FROM refresh_tokens WHERE grant_id = substr(t.id, 7)',
  'SELECT 1 FROM refresh_replays WHERE grant_id = substr(t.id, 7)',
  'SELECT 1 FROM artifacts WHERE grant_id = substr(t.id, 7)',
  'SELECT 1 FROM sessions WHERE uid = substr(t.id, 9)',
  'SELECT 1 FROM grants WHERE session_uid = substr(t.id, 9)',
];
const NOTHING_LEFT = CLOSED.map((rows) => `NOT EXISTS (${rows})`).join(' AND ');

export const PURGE = `DELETE FROM tombstones WHERE id IN (
  SELECT t.id FROM tombstones t WHERE t.expires_at < ? AND ${NOTHING_LEFT} LIMIT ?)`;

/** @param id `grant:…` or `session:…`. A step of the unit of work that ends it. */
export function* bury(id: string) {
  const expiresAt = Date.now() + LIFE_MS;
  yield* run('INSERT INTO tombstones (id, expires_at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING', id, expiresAt);
}

export function* isBuried(id: string) {
  return (yield* one('SELECT 1 AS buried FROM tombstones WHERE id = ?', id)) !== undefined;
}

export function createTombstones(db: Database) {
  return { purge: (limit: number) => db.run(PURGE, Date.now(), limit) };
}
