/** Rows of the answers that a repeated refresh gets again. Gone with their grant. */
import { storedIdentifier } from '../artifacts/identifier.ts';
import type { Database } from '../db/database.ts';
import type { Keyring } from '../keyring/keyring.ts';

export function createRefreshReplayStore({ db, keyring }: { db: Database; keyring: Keyring }) {
  const context = (id: string) => `refresh_replays|answer|${id}`;

  return {
    async save(spent: { token: string; grantId: string; answer: unknown; expiresAt: number }): Promise<void> {
      const id = storedIdentifier(spent.token);
      await db.later(
        'INSERT INTO refresh_replays (id, grant_id, answer, expires_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
        id,
        spent.grantId,
        // Hardly one of them is ever opened.
        keyring.seal('payload', JSON.stringify(spent.answer), context(id)),
        spent.expiresAt,
      );
    },

    /** The answer for a spent token whose grant still lives, within its window. */
    async find(token: string): Promise<Record<string, unknown> | undefined> {
      const id = storedIdentifier(token);
      const row = await db.one<{ answer: string }>(
        `SELECT answer FROM refresh_replays r WHERE id = ? AND expires_at > ?
           AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.id = 'grant:' || r.grant_id)`,
        id,
        Date.now(),
      );
      return row && keyring.openJson<Record<string, unknown>>('payload', row.answer, context(id));
    },

    purge: (limit: number) =>
      db.run(
        'DELETE FROM refresh_replays WHERE id IN (SELECT id FROM refresh_replays WHERE expires_at < ? LIMIT ?)',
        Date.now(),
        limit,
      ),
  };
}

export type RefreshReplayStore = ReturnType<typeof createRefreshReplayStore>;
