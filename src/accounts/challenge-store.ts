/** Rows of the one-time codes and links that were mailed. A code is never stored, only its keyed hash. */
import type { Database } from '../db/database.ts';
import { all, one, run } from '../db/statement.ts';

export type CodePurpose = 'register' | 'verify_email' | 'reset' | 'change_email' | 'signin' | 'factor_recovery';
/** Of links with 256 random bits (links.ts). */
export type LinkPurpose = 'invitation' | 'restore_email' | 'restore_password' | 'disown' | 'keep_factors';
export type ChallengePurpose = CodePurpose | LinkPurpose;

export interface Challenge {
  id: string;
  purpose: ChallengePurpose;
  flow: string;
  account_id: string | null;
  sent_to: string;
  /** The known device that asked for it. */
  device: string | null;
  /** Length of the code; six when empty. */
  digits: number | null;
  mac: string;
  data: string | null;
  attempts: number;
  max_attempts: number;
  created_at: number;
  expires_at: number;
  consumed_at: number | null;
  /** When another browser confirmed a mailed sign-in. */
  confirmed_at: number | null;
}

/** The device and the length of codes only. */
type NewChallenge = Omit<Challenge, 'attempts' | 'consumed_at' | 'confirmed_at' | 'device' | 'digits'> &
  Partial<Pick<Challenge, 'device' | 'digits'>>;

export function createChallengeStore(db: Database) {
  return {
    /** The newest of a flow, whatever became of it: an older code is dead once a newer one was sent. */
    newest: (flow: string, purposes: ChallengePurpose[]) =>
      db.one<Challenge>(
        `SELECT * FROM challenges WHERE flow = ? AND purpose IN (${purposes.map(() => '?').join(', ')})
         ORDER BY created_at DESC, id DESC LIMIT 1`,
        flow,
        ...purposes,
      ),

    byId: (id: string) => db.one<Challenge>('SELECT * FROM challenges WHERE id = ?', id),

    /** Counts a try before anybody compares, so that parallel guesses gain nothing. Undefined when none is left. */
    count: (id: string) =>
      db.write(function* () {
        return yield* one<Challenge>(
          `UPDATE challenges SET attempts = attempts + 1
           WHERE id = ? AND consumed_at IS NULL AND attempts < max_attempts AND expires_at > ? RETURNING *`,
          id,
          Date.now(),
        );
      }),

    // What follows are steps of a caller's unit of work.
    *insert(challenge: NewChallenge) {
      yield* run(
        `INSERT INTO challenges (id, purpose, flow, account_id, sent_to, device, digits, mac, data, attempts,
           max_attempts, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
        challenge.id,
        challenge.purpose,
        challenge.flow,
        challenge.account_id,
        challenge.sent_to,
        challenge.device,
        challenge.digits,
        challenge.mac,
        challenge.data,
        challenge.max_attempts,
        challenge.created_at,
        challenge.expires_at,
      );
    },

    /** When codes of this purpose went to this address since `since`, newest first: those that this device asked for, or
     * those that strangers did. */
    *sentSince(purpose: ChallengePurpose, sentTo: string, device: string | null, since: number) {
      const rows = yield* all<{ created_at: number }>(
        `SELECT created_at FROM challenges WHERE sent_to = ? AND purpose = ? AND COALESCE(device, '') = ? AND created_at > ?
         ORDER BY created_at DESC LIMIT 50`,
        sentTo,
        purpose,
        device ?? '',
        since,
      );
      return rows.map((row) => row.created_at);
    },

    /** Compare-and-swap: 1 for exactly one caller. */
    *consume(id: string) {
      return yield* run('UPDATE challenges SET consumed_at = ? WHERE id = ? AND consumed_at IS NULL', Date.now(), id);
    },

    /** Codes that were mailed for an account and not used. */
    *endCodes(accountId: string, purposes: CodePurpose[]) {
      yield* run(
        `UPDATE challenges SET consumed_at = ?
         WHERE account_id = ? AND purpose IN (${purposes.map(() => '?').join(', ')}) AND consumed_at IS NULL`,
        Date.now(),
        accountId,
        ...purposes,
      );
    },

    /** Links of an account from `since` on that were not used. */
    *endLinks(accountId: string, purpose: LinkPurpose, since: number) {
      yield* run(
        `UPDATE challenges SET consumed_at = ?
         WHERE account_id = ? AND purpose = ? AND created_at >= ? AND consumed_at IS NULL`,
        Date.now(),
        accountId,
        purpose,
        since,
      );
    },

    /** Addresses that a living link of an account went to. */
    *addressesOf(accountId: string, purpose: LinkPurpose) {
      const rows = yield* all<{ sent_to: string }>(
        `SELECT DISTINCT sent_to FROM challenges
         WHERE account_id = ? AND purpose = ? AND consumed_at IS NULL AND expires_at > ? ORDER BY sent_to LIMIT 10`,
        accountId,
        purpose,
        Date.now(),
      );
      return rows.map((row) => row.sent_to);
    },

    /** How many codes of this purpose an account asked for since `since`, to whatever address. */
    *askedSince(accountId: string, purpose: CodePurpose, since: number) {
      const row = yield* one<{ count: number | string }>(
        'SELECT COUNT(*) AS count FROM challenges WHERE account_id = ? AND purpose = ? AND created_at > ?',
        accountId,
        purpose,
        since,
      );
      return Number(row?.count ?? 0);
    },

    /** What is known of codes and links of a person, for the person: never the hash of one. */
    about: (accountId: string, sentTo: string) =>
      db.all<Pick<Challenge, 'purpose' | 'sent_to' | 'attempts' | 'created_at' | 'expires_at' | 'consumed_at'>>(
        `SELECT purpose, sent_to, attempts, created_at, expires_at, consumed_at FROM challenges
         WHERE account_id = ? OR sent_to = ? ORDER BY created_at DESC LIMIT 1000`,
        accountId,
        sentTo,
      ),

    /** Another browser confirmed it: 1 for exactly one of them, while it lives. */
    *confirm(id: string) {
      return yield* run(
        `UPDATE challenges SET confirmed_at = ?
         WHERE id = ? AND consumed_at IS NULL AND confirmed_at IS NULL AND expires_at > ?`,
        Date.now(),
        id,
        Date.now(),
      );
    },

    purge: (limit: number) =>
      db.run(
        'DELETE FROM challenges WHERE id IN (SELECT id FROM challenges WHERE expires_at < ? LIMIT ?)',
        Date.now() - 86_400_000,
        limit,
      ),
  };
}

export type ChallengeStore = ReturnType<typeof createChallengeStore>;
