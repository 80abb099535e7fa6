/** Rows of clients. Metadata is public by nature; the secret is sealed apart from it. */
import type { Database } from '../db/database.ts';
import { one, run } from '../db/statement.ts';
import type { Keyring } from '../keyring/keyring.ts';

/** RFC 7591 member names, and our own (`first_party`, `require_pkce`, …). */
export type ClientMetadata = Record<string, unknown> & { client_id: string; client_secret?: string };

/** Where a client was declared: only its own source may change it. */
export type ClientSource = 'config' | 'cli' | 'seed';

export interface StoredClient {
  metadata: ClientMetadata;
  name: string;
  source: ClientSource;
  enabled: boolean;
  createdAt: number;
  updatedAt: number;
}

interface Row {
  client_id: string;
  name: string;
  metadata: string;
  secret: string | null;
  source: ClientSource;
  enabled: number;
  created_at: number;
  updated_at: number;
}

export function createClientStore({ db, keyring }: { db: Database; keyring: Keyring }) {
  const context = (clientId: string) => `clients|secret|${clientId}`;

  function opened(row: Row): StoredClient {
    const metadata: ClientMetadata = { ...JSON.parse(row.metadata), client_id: row.client_id };
    if (row.secret !== null) {
      metadata.client_secret = keyring.open('client', row.secret, context(row.client_id)).toString();
    }
    const { name, source, created_at: createdAt, updated_at: updatedAt } = row;
    return { metadata, name, source, enabled: row.enabled === 1, createdAt, updatedAt };
  }

  return {
    async find(clientId: string): Promise<StoredClient | undefined> {
      const row = await db.committed.one<Row>('SELECT * FROM clients WHERE client_id = ?', clientId);
      return row && opened(row);
    },

    /**
     * Steps, as is `remove`. Compare-and-swap: false when the row is no longer the one that was read as `known`, or when
     * there is one and none was known. The time of a change is the version of its row, so it only goes forward.
     */
    *save(client: Pick<StoredClient, 'metadata' | 'name' | 'source' | 'enabled'>, known: StoredClient | undefined) {
      const { client_id: id, client_secret: secret, ...metadata } = client.metadata;
      const values = [
        client.name,
        JSON.stringify(metadata),
        secret === undefined ? null : keyring.seal('client', secret, context(id)),
        client.source,
        client.enabled ? 1 : 0,
      ];
      const now = Date.now();
      const changed = known
        ? yield* run(
            `UPDATE clients SET name = ?, metadata = ?, secret = ?, source = ?, enabled = ?, updated_at = ?
             WHERE client_id = ? AND updated_at = ? AND created_at = ?`,
            ...values,
            Math.max(now, known.updatedAt + 1),
            ...[id, known.updatedAt, known.createdAt],
          )
        : yield* run(
            `INSERT INTO clients (name, metadata, secret, source, enabled, created_at, updated_at, client_id)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id) DO NOTHING`,
            ...values,
            ...[now, now, id],
          );
      return changed === 1;
    },

    *remove(clientId: string) {
      return (yield* run('DELETE FROM clients WHERE client_id = ?', clientId)) === 1;
    },

    /** Steps: whether the client has registered a `backchannel_logout_uri`. */
    *wantsLogoutNotice(clientId: string) {
      const row = yield* one<Pick<Row, 'metadata'>>('SELECT metadata FROM clients WHERE client_id = ?', clientId);
      return row !== undefined && typeof JSON.parse(row.metadata).backchannel_logout_uri === 'string';
    },

    /** A page of clients in the order of their ids, after `cursor`. */
    async list(limit: number, cursor = ''): Promise<StoredClient[]> {
      const rows = await db.all<Row>(
        'SELECT * FROM clients WHERE client_id > ? ORDER BY client_id LIMIT ?',
        cursor,
        limit,
      );
      return rows.map(opened);
    },

    async all(): Promise<StoredClient[]> {
      return (await db.all<Row>('SELECT * FROM clients')).map(opened);
    },
  };
}

export type ClientStore = ReturnType<typeof createClientStore>;
