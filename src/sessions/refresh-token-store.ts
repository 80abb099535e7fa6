/** Rows of refresh tokens. A token whose grant was ended is not found. */
import { storedIdentifier } from '../artifacts/identifier.ts';
import type { Database } from '../db/database.ts';
import type { Keyring } from '../keyring/keyring.ts';

interface Row {
  id: string;
  payload: string;
  consumed_at: number | null;
}

export interface RefreshTokenStoreOptions {
  db: Database;
  keyring: Keyring;
  grants: { offline(id: string, until: number, sid?: string): Promise<void> };
}

export function createRefreshTokenStore({ db, keyring, grants }: RefreshTokenStoreOptions) {
  const context = (id: string) => `refresh_tokens|payload|${id}`;

  return {
    async upsert(id: string, payload: Record<string, unknown>, expiresAt: number): Promise<void> {
      const { jti: _secret, ...kept } = payload;
      const row = storedIdentifier(id);
      await db.later(
        `INSERT INTO refresh_tokens (id, grant_id, account_id, client_id, payload, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at`,
        row,
        kept['grantId'] as string,
        kept['accountId'] as string | undefined,
        kept['clientId'] as string,
        keyring.sealJson('payload', kept, context(row)),
        Date.now(),
        expiresAt,
      );
      await grants.offline(kept['grantId'] as string, expiresAt, kept['sid'] as string | undefined);
    },

    async find(id: string): Promise<Record<string, unknown> | undefined> {
      const row = await db.one<Row>(
        `SELECT id, payload, consumed_at FROM refresh_tokens r WHERE id = ?
           AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.id = 'grant:' || r.grant_id)`,
        storedIdentifier(id),
      );
      if (!row) return undefined;
      const payload = keyring.openJson<Record<string, unknown>>('payload', row.payload, context(row.id));
      return {
        ...payload,
        jti: id,
        ...(row.consumed_at === null ? {} : { consumed: Math.floor(row.consumed_at / 1000) }),
      };
    },

    /** The payload of the one that a grant got last, used or not. */
    async newestOf(grantId: string): Promise<Record<string, unknown> | undefined> {
      const row = await db.one<Row>(
        'SELECT id, payload FROM refresh_tokens WHERE grant_id = ? ORDER BY created_at DESC LIMIT 1',
        grantId,
      );
      return row && keyring.openJson<Record<string, unknown>>('payload', row.payload, context(row.id));
    },

    /** Compare-and-swap: of any number of parallel callers one goes through, the others fail with `lost`, at the latest
     * at the end of their request. */
    claim: (id: string, lost: () => Error): Promise<void> =>
      db.claim(
        lost,
        'UPDATE refresh_tokens SET consumed_at = ? WHERE id = ? AND consumed_at IS NULL',
        Date.now(),
        storedIdentifier(id),
      ),

    async destroy(id: string): Promise<void> {
      await db.run('DELETE FROM refresh_tokens WHERE id = ?', storedIdentifier(id));
    },

    purge: (limit: number) =>
      db.run(
        'DELETE FROM refresh_tokens WHERE id IN (SELECT id FROM refresh_tokens WHERE expires_at < ? LIMIT ?)',
        Date.now() - 60_000,
        limit,
      ),
  };
}

export type RefreshTokenStore = ReturnType<typeof createRefreshTokenStore>;
