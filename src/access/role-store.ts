/** Rows of roles that accounts have. Knows not which roles there are. */
import type { Database } from '../db/database.ts';
import { run } from '../db/statement.ts';

export interface RoleRow {
  role: string;
  since: number;
}

export function createRoleStore(db: Database) {
  return {
    /** In the order of the alphabet. */
    ofAccount: (accountId: string) =>
      db.all<RoleRow>('SELECT role, since FROM account_roles WHERE account_id = ? ORDER BY role', accountId),

    /** The same for a page of accounts. */
    ofAccounts: (accountIds: string[]) =>
      db.all<RoleRow & { account_id: string }>(
        `SELECT account_id, role, since FROM account_roles
         WHERE account_id IN (${accountIds.map(() => '?').join(', ')}) ORDER BY account_id, role`,
        ...accountIds,
      ),

    // What follows are steps of a caller's unit of work; 0 where there was nothing to change.
    *add(accountId: string, role: string) {
      return yield* run(
        'INSERT INTO account_roles (account_id, role, since) VALUES (?, ?, ?) ON CONFLICT (account_id, role) DO NOTHING',
        accountId,
        role,
        Date.now(),
      );
    },

    *remove(accountId: string, role: string) {
      return yield* run('DELETE FROM account_roles WHERE account_id = ? AND role = ?', accountId, role);
    },
  };
}

export type RoleStore = ReturnType<typeof createRoleStore>;
