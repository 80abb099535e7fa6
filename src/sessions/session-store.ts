/**
 * Rows of browser sessions: the payload belongs to the protocol core, the other columns are ours. A session is keyed
 * by `uid` for life; its cookie value (`id`) changes at every sign-in. An ended session is not found, even when a
 * request that was under way wrote it once more.
 */
import { storedIdentifier } from '../artifacts/identifier.ts';
import type { Database } from '../db/database.ts';
import { afterCommit, run, type Steps, type Value } from '../db/statement.ts';
import type { Keyring } from '../keyring/keyring.ts';

export interface Visitor {
  ip: string | null;
  userAgent: string | null;
}

export interface SessionPayload {
  uid: string;
  accountId?: string;
  iat: number;
  exp: number;
  loginTs?: number;
  amr?: string[];
  acr?: string;
  authorizations?: Record<string, { sid?: string; grantId?: string }>;
}

export interface SessionRow {
  id: string;
  uid: string;
  account_id: string | null;
  payload: string;
  ip: string | null;
  user_agent: string | null;
  created_at: number;
  last_seen_at: number;
  expires_at: number;
  /** When it was last used again after a rest; 0 for never. */
  rested_at: number;
}

export const LIVING = "NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.id = 'session:' || s.uid)";
/** `last_seen_at` is only this exact, so that reading a page does not write a row each time. */
const SEEN_GRAIN_MS = 5 * 60_000;

export interface SessionStoreOptions {
  db: Database;
  keyring: Keyring;
  /** Seconds for which two factors stay proved, at most and while the session is not used. */
  strong: { ttl: number; idle: number };
}

export function createSessionStore({ db, keyring, strong }: SessionStoreOptions) {
  const restMs = strong.idle * 1000;
  const context = (row: { id: string }) => `sessions|payload|${row.id}`;
  const opened = (row: Pick<SessionRow, 'id' | 'payload'>) =>
    keyring.openJson<SessionPayload>('payload', row.payload, context(row));

  const living = <Row>(columns: string, column: 'id' | 'uid', value: string) =>
    db.one<Row>(
      `SELECT ${columns} FROM sessions s WHERE ${column} = ? AND ${LIVING} ORDER BY s.last_seen_at DESC LIMIT 1`,
      value,
    );
  const payloadBy = (column: 'id' | 'uid', value: string) =>
    living<Pick<SessionRow, 'id' | 'payload'>>('s.id, s.payload', column, value);

  function upserting(
    id: string,
    payload: Record<string, unknown>,
    expiresAt: number,
    visitor: Visitor,
  ): [sql: string, ...Value[]] {
    const { jti: _secret, ...kept } = payload;
    const session = kept as unknown as SessionPayload;
    const row = storedIdentifier(id);
    return [
      `INSERT INTO sessions (id, uid, account_id, payload, ip, user_agent, created_at, last_seen_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id, payload = excluded.payload, ip = excluded.ip,
         user_agent = excluded.user_agent, last_seen_at = excluded.last_seen_at, expires_at = excluded.expires_at,
         rested_at = CASE WHEN sessions.last_seen_at < ? THEN excluded.last_seen_at ELSE sessions.rested_at END`,
      row,
      session.uid,
      session.accountId,
      keyring.sealJson('payload', session, context({ id: row })),
      visitor.ip,
      visitor.userAgent,
      (session.iat ?? Math.floor(Date.now() / 1000)) * 1000,
      Date.now(),
      expiresAt,
      Date.now() - restMs,
    ];
  }

  return {
    open: opened,

    upsert: (...session: Parameters<typeof upserting>): Promise<void> => db.later(...upserting(...session)),

    /** The same as a step of a unit of work, which also tells of its commit. */
    put(...session: Parameters<typeof upserting>): (committed: () => void) => Steps<number> {
      const statement = upserting(...session);
      return (committed) => afterCommit(run(...statement), committed);
    },

    /** By the cookie's value. The payload comes back with its `jti`, as the protocol core saved it. */
    async find(id: string): Promise<(SessionPayload & { jti: string }) | undefined> {
      const row = await payloadBy('id', storedIdentifier(id));
      return row && { ...opened(row), jti: id };
    },

    /** Without the cookie's value, which is not stored: enough to know who and whether. */
    async findByUid(uid: string): Promise<SessionPayload | undefined> {
      const row = await payloadBy('uid', uid);
      return row && opened(row);
    },

    /** Whether what was proved strongly at that time (seconds since 1970) counts no more: it is too long ago, or the
     * session has rested since. */
    async hasLapsed(uid: string, authTime: number): Promise<boolean> {
      if (Math.floor(Date.now() / 1000) - authTime > strong.ttl) return true;
      const row = await living<Pick<SessionRow, 'rested_at' | 'last_seen_at'>>(
        's.rested_at, s.last_seen_at',
        'uid',
        uid,
      );
      // Begun by this very request.
      if (!row) return false;
      return Math.floor(row.rested_at / 1000) > authTime || Date.now() - row.last_seen_at > restMs;
    },

    async destroy(id: string): Promise<void> {
      await db.run('DELETE FROM sessions WHERE id = ?', storedIdentifier(id));
    },

    /** The living session of a cookie value, and its row; notes that it was seen. */
    async current(id: string, visitor: Visitor): Promise<{ row: SessionRow; payload: SessionPayload } | undefined> {
      const row = await living<SessionRow>('*', 'id', storedIdentifier(id));
      const now = Date.now();
      if (!row || row.expires_at <= now) return undefined;
      if (now - row.last_seen_at > SEEN_GRAIN_MS) {
        const restedAt = now - row.last_seen_at > restMs ? now : row.rested_at;
        const sql = 'UPDATE sessions SET last_seen_at = ?, rested_at = ?, ip = ? WHERE id = ?';
        await db.run(sql, now, restedAt, visitor.ip, row.id);
      }
      return { row, payload: opened(row) };
    },

    /** Living sessions of an account, newest first. */
    async ofAccount(accountId: string): Promise<Array<{ row: SessionRow; payload: SessionPayload }>> {
      const rows = await db.all<SessionRow>(
        `SELECT * FROM sessions s WHERE account_id = ? AND expires_at > ? AND ${LIVING} ORDER BY created_at DESC, id`,
        accountId,
        Date.now(),
      );
      return rows.map((row) => ({ row, payload: opened(row) }));
    },

    purge: (limit: number) =>
      db.run(
        'DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? LIMIT ?)',
        Date.now() - 60_000,
        limit,
      ),
  };
}

export type SessionStore = ReturnType<typeof createSessionStore>;
