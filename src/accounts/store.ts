/** Rows of accounts. */
import type { Database } from '../db/database.ts';
import { one, run } from '../db/statement.ts';

export const PROFILE_FIELDS = [
  'name',
  'given_name',
  'family_name',
  'preferred_username',
  'picture',
  'locale',
  'zoneinfo',
] as const;
export type ProfileField = (typeof PROFILE_FIELDS)[number];
export type Profile = Record<ProfileField, string | null>;

export interface Account {
  id: string;
  email: string;
  emailCanonical: string;
  emailVerifiedAt: number | null;
  passwordHash: string | null;
  passwordChangedAt: number | null;
  status: 'active' | 'disabled';
  profile: Profile;
  phoneNumber: string | null;
  address: Record<string, string> | null;
  createdAt: number;
  updatedAt: number;
}

interface Row extends Profile {
  id: string;
  email: string;
  email_canonical: string;
  email_verified_at: number | null;
  password_hash: string | null;
  password_changed_at: number | null;
  status: Account['status'];
  phone_number: string | null;
  address: string | null;
  created_at: number;
  updated_at: number;
}

export function createAccountStore(db: Database) {
  return {
    async byId(id: string): Promise<Account | undefined> {
      const row = await db.committed.one<Row>('SELECT * FROM accounts WHERE id = ?', id);
      return row && opened(row);
    },

    async byEmail(canonical: string): Promise<Account | undefined> {
      const row = await db.one<Row>('SELECT * FROM accounts WHERE email_canonical = ?', canonical);
      return row && opened(row);
    },

    /** A page in the order of creation, after the account `cursor`. `search` matches the start of an address. */
    async list({ limit, cursor, search }: { limit: number; cursor?: string | undefined; search?: string | undefined }) {
      const prefix = search === undefined ? '' : search.toLowerCase();
      const rows = await db.all<Row>(
        `SELECT * FROM accounts WHERE id > ? AND (? = '' OR (email_canonical >= ? AND email_canonical < ?))
         ORDER BY id LIMIT ?`,
        cursor ?? '',
        prefix,
        prefix,
        `${prefix}\uffff`,
        limit,
      );
      return rows.map(opened);
    },

    // What follows are steps of a caller's unit of work.
    *findByEmail(canonical: string) {
      const row = yield* one<Row>('SELECT * FROM accounts WHERE email_canonical = ?', canonical);
      return row && opened(row);
    },

    *insert(account: Account) {
      yield* run(
        `INSERT INTO accounts (id, email, email_canonical, email_verified_at, password_hash, password_changed_at, status,
           name, given_name, family_name, preferred_username, picture, locale, zoneinfo, phone_number, address,
           created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        account.id,
        account.email,
        account.emailCanonical,
        account.emailVerifiedAt,
        account.passwordHash,
        account.passwordChangedAt,
        account.status,
        ...PROFILE_FIELDS.map((field) => account.profile[field]),
        account.phoneNumber,
        account.address === null ? null : JSON.stringify(account.address),
        account.createdAt,
        account.updatedAt,
      );
    },

    *setPassword(id: string, hash: string) {
      return yield* run(
        'UPDATE accounts SET password_hash = ?, password_changed_at = ?, updated_at = ? WHERE id = ?',
        hash,
        Date.now(),
        Date.now(),
        id,
      );
    },

    /** The same password under newer parameters: no change that a person would call one. */
    *rehash(id: string, from: string, to: string) {
      yield* run('UPDATE accounts SET password_hash = ? WHERE id = ? AND password_hash = ?', to, id, from);
    },

    *setEmailVerified(id: string) {
      return yield* run(
        'UPDATE accounts SET email_verified_at = ?, updated_at = ? WHERE id = ? AND email_verified_at IS NULL',
        Date.now(),
        Date.now(),
        id,
      );
    },

    *setStatus(id: string, status: Account['status']) {
      return yield* run('UPDATE accounts SET status = ?, updated_at = ? WHERE id = ?', status, Date.now(), id);
    },

    *setProfile(id: string, profile: Profile) {
      return yield* run(
        `UPDATE accounts SET ${PROFILE_FIELDS.map((field) => `${field} = ?`).join(', ')}, updated_at = ? WHERE id = ?`,
        ...PROFILE_FIELDS.map((field) => profile[field]),
        Date.now(),
        id,
      );
    },

    *remove(id: string) {
      return yield* run('DELETE FROM accounts WHERE id = ?', id);
    },
  };
}

export type AccountStore = ReturnType<typeof createAccountStore>;

function opened(row: Row): Account {
  return {
    id: row.id,
    email: row.email,
    emailCanonical: row.email_canonical,
    emailVerifiedAt: row.email_verified_at,
    passwordHash: row.password_hash,
    passwordChangedAt: row.password_changed_at,
    status: row.status,
    profile: Object.fromEntries(PROFILE_FIELDS.map((field) => [field, row[field]])) as Profile,
    phoneNumber: row.phone_number,
    address: row.address === null ? null : JSON.parse(row.address),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
