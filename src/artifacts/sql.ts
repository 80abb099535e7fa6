/** Artifacts in the SQL database: the default, and what Redis falls back to. Rows without a payload are marks that
 * `ledger.ts` left (consumed, ended); here they are as good as nothing. */
import type { Database } from '../db/database.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { AFTERLIFE_MS, type Artifact, type Artifacts, type LivingArtifact, NO_LONGER_MS } from './artifacts.ts';
import { storedIdentifier } from './identifier.ts';

interface Row {
  id: string;
  payload: string;
  consumed_at: number | null;
}

interface LivingRow extends Row {
  grant_id: string | null;
  grant_payload: string | null;
}

/** A grant lives while its row is there and neither it nor its session was ended. */
export const GRANT_LIVES = `NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.id = 'grant:' || g.id)
  AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.id = 'session:' || g.session_uid)`;

/** Not a join: SQLite takes ten times as long for it. */
const FIND_LIVING = `SELECT a.id, a.payload, a.consumed_at, a.grant_id,
  (SELECT g.payload FROM grants g WHERE g.id = a.grant_id AND ${GRANT_LIVES}) AS grant_payload
  FROM artifacts a WHERE a.id = ?`;

const CONSUME = "UPDATE artifacts SET consumed_at = ? WHERE id = ? AND consumed_at IS NULL AND payload <> ''";

export const artifactRow = (kind: string, id: string): string => `${kind}:${storedIdentifier(id)}`;

export const userCodeHash = (keyring: Keyring, kind: string, userCode: string): string =>
  keyring.mac('payload', `${kind}|user_code|${userCode}`);

/** The value of a row; undefined for a mark. */
export function openRow(keyring: Keyring, row: Row | undefined): Artifact | undefined {
  if (!row || row.payload === '') return undefined;
  const payload = keyring.openJson<Artifact['payload']>('payload', row.payload, row.id);
  return row.consumed_at === null ? { payload } : { payload, consumedAt: row.consumed_at };
}

function withGrant(artifact: Artifact | undefined, row: LivingRow): LivingArtifact | undefined {
  if (!artifact || row.grant_id === null) return artifact;
  if (row.grant_payload === null) return undefined;
  return { ...artifact, grant: { id: row.grant_id, payload: row.grant_payload } };
}

export function createSqlArtifacts({ db, keyring }: { db: Database; keyring: Keyring }): Artifacts {
  const rowId = artifactRow;
  const userCodeId = (kind: string, userCode: string) => userCodeHash(keyring, kind, userCode);
  const opened = (row: Row | undefined) => openRow(keyring, row);

  return {
    async upsert(kind, id, payload, expiresAt, keys) {
      const row = rowId(kind, id);
      await db.later(
        `INSERT INTO artifacts (id, kind, payload, grant_id, user_code, expires_at, written_at)
           VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id,
           user_code = excluded.user_code, written_at = excluded.written_at,
           expires_at = CASE WHEN artifacts.consumed_at IS NOT NULL AND artifacts.expires_at > excluded.expires_at
             THEN artifacts.expires_at ELSE excluded.expires_at END
         WHERE artifacts.ended_at IS NULL`,
        row,
        kind,
        keyring.sealJson('payload', payload, row),
        keys.grantId,
        keys.userCode === undefined ? null : userCodeId(kind, keys.userCode),
        expiresAt,
        Date.now(),
      );
    },

    async insert(kind, id, payload, expiresAt) {
      const row = rowId(kind, id);
      const inserted = await db.run(
        'INSERT INTO artifacts (id, kind, payload, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
        row,
        kind,
        keyring.sealJson('payload', payload, row),
        expiresAt + NO_LONGER_MS,
      );
      return inserted === 1;
    },

    find: async (kind, id) =>
      opened(await db.one<Row>('SELECT id, payload, consumed_at FROM artifacts WHERE id = ?', rowId(kind, id))),

    async findLiving(kind, id) {
      const row = await db.one<LivingRow>(FIND_LIVING, rowId(kind, id));
      return row && withGrant(opened(row), row);
    },

    findByUserCode: async (kind, userCode) =>
      opened(
        await db.one<Row>(
          'SELECT id, payload, consumed_at FROM artifacts WHERE user_code = ?',
          userCodeId(kind, userCode),
        ),
      ),

    consume: async (kind, id) => (await db.run(CONSUME, Date.now(), rowId(kind, id))) === 1,
    claim: (kind, id, lost) => db.claim(lost, CONSUME, Date.now(), rowId(kind, id)),

    async destroy(kind, id) {
      await db.later('DELETE FROM artifacts WHERE id = ?', rowId(kind, id));
    },

    async revokeByGrantId(grantId) {
      await db.run('DELETE FROM artifacts WHERE grant_id = ?', grantId);
    },

    purge: (limit) =>
      db.run(
        'DELETE FROM artifacts WHERE id IN (SELECT id FROM artifacts WHERE expires_at < ? LIMIT ?)',
        Date.now() - AFTERLIFE_MS,
        limit,
      ),

    async close() {},
  };
}
