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
  /** `closed`: deleted by the person, who can come back until `deleteAfter`. */
  status: 'active' | 'disabled' | 'closed';
  deleteAfter: number | null;
  /** When all its sessions but the asking one were ended for the last time, never the same twice: its epoch. A sign-in
   * that began in another one is worth nothing. 0 for never. */
  signedOutAt: number;
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
  delete_after: number | null;
  signed_out_at: number;
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

    /** Ids of closed accounts whose time is up. */
    async due(limit: number): Promise<string[]> {
      const rows = await db.all<{ id: string }>(
        "SELECT id FROM accounts WHERE delete_after <= ? AND status = 'closed' ORDER BY delete_after LIMIT ?",
        Date.now(),
        limit,
      );
      return rows.map(({ id }) => id);
    },

    // What follows are steps of a caller's unit of work.
    *findByEmail(canonical: string) {
      const row = yield* one<Row>('SELECT * FROM accounts WHERE email_canonical = ?', canonical);
      return row && opened(row);
    },

    *lookUp(id: string) {
      const row = yield* one<Row>('SELECT * FROM accounts WHERE id = ?', id);
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

    /** Null: nobody signs in by password until a new one is set. */
    *setPassword(id: string, hash: string | null) {
      const sql = 'UPDATE accounts SET password_hash = ?, password_changed_at = ?, updated_at = ? WHERE id = ?';
      return yield* run(sql, hash, Date.now(), Date.now(), id);
    },

    /** Compare-and-swap: 1 when no other password was set since `from` was read. A rehash sets none. */
    *replacePassword({ id, passwordChangedAt }: Pick<Account, 'id' | 'passwordChangedAt'>, hash: string) {
      const from = passwordChangedAt ?? 0;
      return yield* run(
        `UPDATE accounts SET password_hash = ?, password_changed_at = ?, updated_at = ?
         WHERE id = ? AND password_hash IS NOT NULL AND COALESCE(password_changed_at, 0) = ?`,
        hash,
        Math.max(Date.now(), from + 1),
        Date.now(),
        id,
        from,
      );
    },

    /** Nobody signs in with it any more, whoever knows it. */
    *clearPassword(id: string) {
      const sql = 'UPDATE accounts SET password_hash = NULL, password_changed_at = NULL, updated_at = ? WHERE id = ?';
      return yield* run(sql, Date.now(), id);
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

    *signedOut(id: string) {
      const later = 'CASE WHEN signed_out_at < ? THEN ? ELSE signed_out_at + 1 END';
      return yield* run(`UPDATE accounts SET signed_out_at = ${later} WHERE id = ?`, Date.now(), Date.now(), id);
    },

    /** Only the given members: another may be changed at the same moment. */
    *setProfile(id: string, changes: Partial<Profile>) {
      const fields = PROFILE_FIELDS.filter((field) => changes[field] !== undefined);
      return yield* run(
        `UPDATE accounts SET ${fields.map((field) => `${field} = ?, `).join('')}updated_at = ? WHERE id = ?`,
        ...fields.map((field) => changes[field]),
        Date.now(),
        id,
      );
    },

    /** Compare-and-swap: 1 when it was still `from` that the account had. @throws UniqueViolation. */
    *setEmail(id: string, from: string, to: { email: string; canonical: string; verifiedAt: number | null }) {
      return yield* run(
        `UPDATE accounts SET email = ?, email_canonical = ?, email_verified_at = ?, updated_at = ?
         WHERE id = ? AND email_canonical = ?`,
        to.email,
        to.canonical,
        to.verifiedAt,
        Date.now(),
        id,
        from,
      );
    },

    /** 1 when the account was in one of these states. */
    *close(id: string, deleteAfter: number, from: Account['status'][]) {
      return yield* run(
        `UPDATE accounts SET status = 'closed', delete_after = ?, updated_at = ?
         WHERE id = ? AND status IN (${from.map(() => '?').join(', ')})`,
        deleteAfter,
        Date.now(),
        id,
        ...from,
      );
    },

    /** 1 when the account was closed and its time is not up. */
    *reopen(id: string) {
      const now = Date.now();
      return yield* run(
        `UPDATE accounts SET status = 'active', delete_after = NULL, updated_at = ?
         WHERE id = ? AND status = 'closed' AND delete_after > ?`,
        now,
        id,
        now,
      );
    },

    /** 1 when its time is up, which nobody can change any more. What refers to the account goes with it. */
    *removeClosed(id: string) {
      return yield* run(
        "DELETE FROM accounts WHERE id = ? AND status = 'closed' AND delete_after <= ?",
        id,
        Date.now(),
      );
    },
  };
}

export type AccountStore = ReturnType<typeof createAccountStore>;

function opened(row: Row): Account {
  const { name, given_name, family_name, preferred_username, picture, locale, zoneinfo } = row;
  return {
    id: row.id,
    email: row.email,
    emailCanonical: row.email_canonical,
    emailVerifiedAt: row.email_verified_at,
    passwordHash: row.password_hash,
    passwordChangedAt: row.password_changed_at,
    status: row.status,
    deleteAfter: row.delete_after,
    signedOutAt: row.signed_out_at,
    profile: { name, given_name, family_name, preferred_username, picture, locale, zoneinfo },
    phoneNumber: row.phone_number,
    address: row.address === null ? null : JSON.parse(row.address),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
