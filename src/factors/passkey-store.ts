/** Rows of passkeys, and of what is kept of their owners. */
import { randomBytes } from 'node:crypto';
import type { Database } from '../db/database.ts';
import { one, run, type Steps } from '../db/statement.ts';

export interface Passkey {
  id: string;
  accountId: string;
  /** As WebAuthn has them: base64url. */
  credentialId: string;
  publicKey: string;
  counter: number;
  aaguid: string;
  transports: string[];
  /** It may leave the device, and whether it has. */
  backupEligible: boolean;
  backedUp: boolean;
  name: string;
  createdAt: number;
  lastUsedAt: number | null;
}

interface Row {
  id: string;
  account_id: string;
  credential_id: string;
  public_key: string;
  counter: number;
  aaguid: string;
  transports: string;
  backup_eligible: number;
  backed_up: number;
  name: string;
  created_at: number;
  last_used_at: number | null;
}

const HANDLE = 'SELECT user_handle FROM passkey_owners WHERE account_id = ?';
/** No offer is made again. */
const NEVER = Number.MAX_SAFE_INTEGER;

export function createPasskeyStore(db: Database) {
  return {
    async ofAccount(accountId: string): Promise<Passkey[]> {
      const rows = await db.all<Row>('SELECT * FROM passkeys WHERE account_id = ? ORDER BY created_at, id', accountId);
      return rows.map(opened);
    },

    async byCredential(credentialId: string): Promise<Passkey | undefined> {
      const row = await db.one<Row>('SELECT * FROM passkeys WHERE credential_id = ?', credentialId);
      return row && opened(row);
    },

    /** The name by which authenticators know the account: 64 random bytes that say nothing (WebAuthn section 14.6.1). */
    handle: (accountId: string): Promise<string> =>
      db.write(function* () {
        yield* ensureOwner(accountId);
        return (yield* one<{ user_handle: string }>(HANDLE, accountId))?.user_handle as string;
      }),

    async handleOf(accountId: string): Promise<string | undefined> {
      return (await db.one<{ user_handle: string }>(HANDLE, accountId))?.user_handle;
    },

    /** When a passkey may be offered; 0 before the first time. */
    async offerAt(accountId: string): Promise<number> {
      const sql = 'SELECT offer_again_at FROM passkey_owners WHERE account_id = ?';
      return (await db.one<{ offer_again_at: number }>(sql, accountId))?.offer_again_at ?? 0;
    },

    /** @param at milliseconds since 1970, undefined for never. */
    offerAgain: (accountId: string, at: number | undefined): Promise<void> =>
      db.write(function* () {
        yield* ensureOwner(accountId);
        yield* run('UPDATE passkey_owners SET offer_again_at = ? WHERE account_id = ?', at ?? NEVER, accountId);
      }),

    // What follows are steps of a caller's unit of work.
    *insert(passkey: Passkey) {
      yield* run(
        `INSERT INTO passkeys (id, account_id, credential_id, public_key, counter, aaguid, transports, backup_eligible,
           backed_up, name, created_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        passkey.id,
        passkey.accountId,
        passkey.credentialId,
        passkey.publicKey,
        passkey.counter,
        passkey.aaguid,
        passkey.transports.join(' '),
        Number(passkey.backupEligible),
        Number(passkey.backedUp),
        passkey.name,
        passkey.createdAt,
        passkey.lastUsedAt,
      );
    },

    /** Compare-and-swap: false when the counter did not grow, where the authenticator counts at all. */
    *used(id: string, { counter, backedUp }: { counter: number; backedUp: boolean }): Steps<boolean> {
      const changed = yield* run(
        `UPDATE passkeys SET counter = ?, backed_up = ?, last_used_at = ?
         WHERE id = ? AND (counter < ? OR (counter = 0 AND ? = counter))`,
        counter,
        Number(backedUp),
        Date.now(),
        id,
        counter,
        counter,
      );
      return changed === 1;
    },

    /** Without a name it has an empty one. */
    *rename(accountId: string, id: string, name: string | null): Steps<boolean> {
      return (
        (yield* run('UPDATE passkeys SET name = ? WHERE id = ? AND account_id = ?', name ?? '', id, accountId)) === 1
      );
    },

    *drop(accountId: string, id: string): Steps<boolean> {
      return (yield* run('DELETE FROM passkeys WHERE id = ? AND account_id = ?', id, accountId)) === 1;
    },

    *clear(accountId: string): Steps<number> {
      return yield* run('DELETE FROM passkeys WHERE account_id = ?', accountId);
    },
  };
}

export type PasskeyStore = ReturnType<typeof createPasskeyStore>;

function* ensureOwner(accountId: string): Steps<void> {
  yield* run(
    `INSERT INTO passkey_owners (account_id, user_handle, offer_again_at) VALUES (?, ?, 0)
     ON CONFLICT (account_id) DO NOTHING`,
    accountId,
    randomBytes(64).toString('base64url'),
  );
}

function opened(row: Row): Passkey {
  return {
    id: row.id,
    accountId: row.account_id,
    credentialId: row.credential_id,
    publicKey: row.public_key,
    counter: row.counter,
    aaguid: row.aaguid,
    transports: row.transports === '' ? [] : row.transports.split(' '),
    backupEligible: row.backup_eligible === 1,
    backedUp: row.backed_up === 1,
    name: row.name,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
  };
}
