/** Steps that take from a restored database what may have been used, revoked or taken back after its backup was made. */
import type { Database } from '../db/database.ts';
import { all, one, run } from '../db/statement.ts';

/** Tables of which nothing is good any more: each row lets somebody in, or spares them a question. */
const EMPTIED = [
  'refresh_replays',
  'refresh_tokens',
  'grants',
  'sessions',
  'sign_in_steps',
  'totp_setups',
  'remembered_devices',
  'consents',
  // A waiting time may have been stopped since.
  'factor_recoveries',
];
/** Links by which an owner undoes what a thief did. They let nobody in, and may be needed again. */
const KEPT_LINKS = "('restore_email', 'disown')";
/** Replay ids close doors, and stay. */
const OPENING = "kind <> 'ReplayDetection'";

/** Accounts that are signed in somewhere, in the order of their ids, behind `after`. */
export function* signedInAccounts(after: string, limit: number) {
  const rows = yield* all<{ account_id: string }>(
    `SELECT account_id FROM sessions WHERE account_id > ? UNION SELECT account_id FROM grants WHERE account_id > ?
     ORDER BY account_id LIMIT ?`,
    after,
    after,
    limit,
  );
  return rows.map(({ account_id: id }) => id);
}

/** What had expired is no session, and ends without a record. */
export function* forgetExpired(now: number) {
  for (const table of ['sessions', 'grants']) yield* run(`DELETE FROM ${table} WHERE expires_at <= ?`, now);
}

export function* forgetWhatOpens() {
  for (const table of EMPTIED) yield* run(`DELETE FROM ${table}`);
  yield* run(`DELETE FROM artifacts WHERE ${OPENING}`);
  yield* run(`DELETE FROM challenges WHERE purpose NOT IN ${KEPT_LINKS}`);
}

/** Codes of an authenticator app up to this time step are spent (RFC 6238 section 5.2). */
export function* spendTimeSteps(step: number) {
  yield* run('UPDATE totps SET last_step = ? WHERE last_step < ?', step, step);
}

/** Mail that waited may have left since. @returns how many there were. */
export function* dropWaitingMail() {
  return yield* run("DELETE FROM outbox WHERE kind = 'mail' AND state = 'waiting'");
}

/** The time of the newest event, in milliseconds since 1970: about when the backup was made. */
export function* newestEvent() {
  return (yield* one<{ at: number | null }>('SELECT MAX(at) AS at FROM audit_events'))?.at ?? undefined;
}

/** How many connections other processes of this program have to this PostgreSQL database. */
export async function otherConnections(db: Pick<Database, 'one'>): Promise<number> {
  const row = await db.one<{ n: number }>(
    `SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'latchkey'
       AND pid <> pg_backend_pid()`,
  );
  return row?.n ?? 0;
}
