/**
 * Rows of grants: what an account allowed a client, in which browser session, and until when refresh tokens make
 * it a session of its own (`offline_until`, 0 for never). A grant that was ended, or whose session was, is not found.
 */
import { GRANT_LIVES } from '../artifacts/sql.ts';
import type { Database } from '../db/database.ts';
import { run } from '../db/statement.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { Visitor } from './session-store.ts';
import { bury } from './tombstone-store.ts';

export interface GrantPayload {
  accountId?: string;
  clientId: string;
  exp: number;
  iat: number;
  openid?: { scope?: string; claims?: string[] };
  resources?: Record<string, string>;
}

export interface GrantRow {
  id: string;
  account_id: string | null;
  client_id: string;
  session_uid: string | null;
  /** The client's own name of the browser session, for logout notices. */
  sid: string | null;
  payload: string;
  offline_until: number;
  ip: string | null;
  user_agent: string | null;
  created_at: number;
  last_seen_at: number;
  expires_at: number;
}

const SEEN_GRAIN_MS = 60_000;

export function createGrantStore({ db, keyring }: { db: Database; keyring: Keyring }) {
  const context = (id: string) => `grants|payload|${id}`;
  const opened = (row: Pick<GrantRow, 'id' | 'payload'>) =>
    keyring.openJson<GrantPayload>('payload', row.payload, context(row.id));

  return {
    open: opened,

    async upsert(
      id: string,
      payload: Record<string, unknown>,
      expiresAt: number,
      visitor: Visitor & { sessionUid?: string | undefined },
    ): Promise<void> {
      const now = Date.now();
      await db.later(
        `INSERT INTO grants (id, account_id, client_id, session_uid, payload, offline_until, ip, user_agent, created_at,
           last_seen_at, expires_at) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`,
        id,
        payload['accountId'] as string | undefined,
        payload['clientId'] as string,
        visitor.sessionUid,
        keyring.sealJson('payload', payload, context(id)),
        visitor.ip,
        visitor.userAgent,
        now,
        now,
        expiresAt,
      );
    },

    /** Nobody looks for what the same request has made; what it takes for won must not be stored for this question. */
    async find(id: string): Promise<GrantPayload | undefined> {
      const sql = `SELECT g.id, g.payload FROM grants g WHERE id = ? AND ${GRANT_LIVES}`;
      const row = await db.committed.one<Pick<GrantRow, 'id' | 'payload'>>(sql, id);
      return row && opened(row);
    },

    /** A refresh token of this grant was used: the app was here. */
    async seen(id: string): Promise<void> {
      const now = Date.now();
      await db.later(
        'UPDATE grants SET last_seen_at = ? WHERE id = ? AND last_seen_at < ?',
        now,
        id,
        now - SEEN_GRAIN_MS,
      );
    },

    /** A refresh token was issued: the app is a session of its own until `until` (milliseconds since 1970). */
    async offline(id: string, until: number, sid?: string): Promise<void> {
      await db.later(
        'UPDATE grants SET last_seen_at = ?, offline_until = ?, sid = COALESCE(?, sid) WHERE id = ?',
        Date.now(),
        until,
        sid,
        id,
      );
    },

    async ofAccount(accountId: string): Promise<Array<{ row: GrantRow; payload: GrantPayload }>> {
      const rows = await db.all<GrantRow>(
        `SELECT * FROM grants g WHERE account_id = ? AND expires_at > ? AND ${GRANT_LIVES} ORDER BY created_at DESC, id`,
        accountId,
        Date.now(),
      );
      return rows.map((row) => ({ row, payload: opened(row) }));
    },

    purge: (limit: number) =>
      db.run(
        'DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at < ? LIMIT ?)',
        Date.now() - 60_000,
        limit,
      ),
  };
}

export type GrantStore = ReturnType<typeof createGrantStore>;

/** Part of a unit of work: the grant, its refresh tokens, codes and opaque access tokens are gone after the commit. */
export function* endGrant(id: string) {
  yield* bury(`grant:${id}`);
  yield* run('DELETE FROM grants WHERE id = ?', id);
  yield* run('DELETE FROM refresh_tokens WHERE grant_id = ?', id);
  yield* run('DELETE FROM refresh_replays WHERE grant_id = ?', id);
  yield* run('DELETE FROM artifacts WHERE grant_id = ?', id);
}
