/**
 * Roles of accounts: names that the configuration file declares. A role that it does not declare any more counts for
 * nothing; its rows stay, so that a file with a mistake takes nothing away for good.
 */
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../errors.ts';
import type { RoleStore } from './role-store.ts';

export interface Role {
  name: string;
  description?: string | undefined;
  /** Who has it must have a second factor. */
  requireSecondFactor: boolean;
}

/** A role that somebody has. */
export interface HeldRole {
  role: string;
  /** Milliseconds since 1970. */
  since: number;
  /** Whether the configuration declares it. */
  declared: boolean;
}

export interface RoleChange {
  add: string[];
  remove: string[];
}

export interface RolesOptions {
  db: Database;
  store: RoleStore;
  audit: Pick<Recorder, 'record'>;
  declared: Role[];
}

export function createRoles({ db, store, audit, declared }: RolesOptions) {
  const names = new Set(declared.map(({ name }) => name));
  const demanding = new Set(declared.filter((role) => role.requireSecondFactor).map(({ name }) => name));

  /** The names that count, in the order of the alphabet. */
  async function of(accountId: string): Promise<string[]> {
    if (names.size === 0) return [];
    return (await store.ofAccount(accountId)).map(({ role }) => role).filter((role) => names.has(role));
  }

  /** Everything that is stored, also what does not count. */
  async function held(accountId: string): Promise<HeldRole[]> {
    return (await store.ofAccount(accountId)).map((row) => ({ ...row, declared: names.has(row.role) }));
  }

  return {
    of,
    held,

    /** The names that count of each of these accounts. */
    async ofEach(accountIds: string[]): Promise<Map<string, string[]>> {
      const found = new Map<string, string[]>(accountIds.map((id) => [id, []]));
      if (accountIds.length === 0 || names.size === 0) return found;
      for (const { account_id: id, role } of await store.ofAccounts(accountIds)) {
        if (names.has(role)) found.get(id)?.push(role);
      }
      return found;
    },

    /** Whether one of the account's roles must have a second factor. Asks the database only where some role does. */
    async demandSecondFactor(accountId: string): Promise<boolean> {
      return demanding.size > 0 && (await of(accountId)).some((role) => demanding.has(role));
    },

    /** Resolves with what the account has then. What it has already is not added, what it has not is not removed; no
     * entry of the record where nothing changed. @throws AppError invalid_request for a role that nobody declared. */
    async change(accountId: string, { add, remove }: RoleChange, by: Origin): Promise<HeldRole[]> {
      const wanted = [...new Set(add)];
      const unwanted = [...new Set(remove)];
      for (const role of wanted) if (!names.has(role)) throw unknown(role, names);
      const both = wanted.find((role) => unwanted.includes(role));
      if (both) throw new AppError('invalid_request', { message: `${both} can't be both added and removed.` });
      const before = await held(accountId);
      // What is not declared any more can go; what nobody ever had is a slip of the pen.
      for (const role of unwanted) {
        if (!names.has(role) && !before.some((each) => each.role === role)) throw unknown(role, names);
      }
      await db.write(function* () {
        const details: { added: string[]; removed: string[] } = { added: [], removed: [] };
        for (const role of wanted) if ((yield* store.add(accountId, role)) === 1) details.added.push(role);
        for (const role of unwanted) if ((yield* store.remove(accountId, role)) === 1) details.removed.push(role);
        if (details.added.length + details.removed.length === 0) return;
        yield* audit.record({ type: 'roles.changed', account: accountId, by, details });
      });
      return held(accountId);
    },
  };
}

export type Roles = ReturnType<typeof createRoles>;

function unknown(role: string, known: Set<string>): AppError {
  const list = [...known].sort().join(', ');
  const rest = known.size === 0 ? 'The configuration file declares none.' : `There are: ${list}.`;
  return new AppError('invalid_request', { message: `There is no role ${role}. ${rest}` });
}
