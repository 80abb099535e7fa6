/** Rows of authenticator apps, and of those that are being set up. Secrets come and go sealed. */
import type { Database } from '../db/database.ts';
import { one, run } from '../db/statement.ts';

export interface SetupRow {
  id: string;
  account_id: string;
  holder: string;
  secret: string;
  expires_at: number;
}

export interface TotpRow {
  id: string;
  account_id: string;
  name: string | null;
  secret: string;
  last_step: number;
  created_at: number;
  last_used_at: number | null;
}

export function createTotpStore(db: Database) {
  return {
    ofAccount: (accountId: string) =>
      db.all<TotpRow>('SELECT * FROM totps WHERE account_id = ? ORDER BY created_at, id', accountId),

    setup: (accountId: string, holder: string) =>
      db.one<SetupRow>(
        'SELECT * FROM totp_setups WHERE account_id = ? AND holder = ? AND expires_at > ?',
        accountId,
        holder,
        Date.now(),
      ),

    setupById: (accountId: string, id: string) =>
      db.one<SetupRow>(
        'SELECT * FROM totp_setups WHERE account_id = ? AND id = ? AND expires_at > ?',
        accountId,
        id,
        Date.now(),
      ),

    /** One a holder: of requests side by side the first one's stays, and each is told that one. */
    putSetup: (row: SetupRow) =>
      db.write(function* () {
        const { id, account_id, holder, secret, expires_at } = row;
        yield* run(
          'DELETE FROM totp_setups WHERE account_id = ? AND holder = ? AND expires_at <= ?',
          account_id,
          holder,
          Date.now(),
        );
        yield* run(
          `INSERT INTO totp_setups (id, account_id, holder, secret, expires_at) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (account_id, holder) DO NOTHING`,
          ...[id, account_id, holder, secret, expires_at],
        );
        const sql = 'SELECT * FROM totp_setups WHERE account_id = ? AND holder = ?';
        return (yield* one<SetupRow>(sql, account_id, holder)) as SetupRow;
      }),

    purge: (limit: number) =>
      db.run(
        'DELETE FROM totp_setups WHERE id IN (SELECT id FROM totp_setups WHERE expires_at < ? LIMIT ?)',
        Date.now(),
        limit,
      ),

    // What follows are steps of a caller's unit of work.
    /** Compare-and-swap: the newest accepted step only grows, and of requests side by side one makes it grow. */
    *advance(id: string, step: number) {
      const sql = 'UPDATE totps SET last_step = ?, last_used_at = ? WHERE id = ? AND last_step < ?';
      return (yield* run(sql, step, Date.now(), id, step)) === 1;
    },

    *endSetup(id: string) {
      return (yield* run('DELETE FROM totp_setups WHERE id = ?', id)) === 1;
    },

    *insert(row: TotpRow) {
      yield* run(
        `INSERT INTO totps (id, account_id, name, secret, last_step, created_at, last_used_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        ...[row.id, row.account_id, row.name, row.secret, row.last_step, row.created_at, row.last_used_at],
      );
    },

    *rename(accountId: string, id: string, name: string | null) {
      return (yield* run('UPDATE totps SET name = ? WHERE id = ? AND account_id = ?', name, id, accountId)) === 1;
    },

    *drop(accountId: string, id: string) {
      return (yield* run('DELETE FROM totps WHERE id = ? AND account_id = ?', id, accountId)) === 1;
    },

    *clear(accountId: string) {
      yield* run('DELETE FROM totp_setups WHERE account_id = ?', accountId);
      return yield* run('DELETE FROM totps WHERE account_id = ?', accountId);
    },
  };
}

export type TotpStore = ReturnType<typeof createTotpStore>;
