/** Rows of refresh tokens. A token whose grant was ended is not found. */

import type { StoredGrant } from '../artifacts/artifacts.ts';
import { storedIdentifier } from '../artifacts/identifier.ts';
import { GRANT_LIVES } from '../artifacts/sql.ts';
import type { Database } from '../db/database.ts';
import type { Keyring } from '../keyring/keyring.ts';

interface Row {
  id: string;
  payload: string;
  consumed_at: number | null;
  grant_id: string;
  /** Of the grant's own row, while it lives. */
  grant_payload: string | null;
}

const FIND = `SELECT id, payload, consumed_at, grant_id,
  (SELECT g.payload FROM grants g WHERE g.id = r.grant_id AND ${GRANT_LIVES}) AS grant_payload
  FROM refresh_tokens r WHERE id = ? AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.id = 'grant:' || r.grant_id)`;

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

    /** With `consumedAt`, in milliseconds since 1970, when it was used already.
     * @param onGrant is told of the token's grant, if it lives. */
    async find(id: string, onGrant?: (grant: StoredGrant) => void): Promise<Record<string, unknown> | undefined> {
      const row = await db.one<Row>(FIND, storedIdentifier(id));
      if (!row) return undefined;
      if (row.grant_payload !== null) onGrant?.({ id: row.grant_id, payload: row.grant_payload });
      const payload = keyring.openJson<Record<string, unknown>>('payload', row.payload, context(row.id));
      payload['jti'] = id;
      if (row.consumed_at !== null) payload['consumedAt'] = row.consumed_at;
      return payload;
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
