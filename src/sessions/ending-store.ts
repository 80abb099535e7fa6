/** Steps that end sessions: what there is to end, and a tombstone for each. Who is told of it is in endings.ts. */
import { all, one, run } from '../db/statement.ts';
import type { GrantRow } from './grant-store.ts';
import { LIVING, type SessionRow } from './session-store.ts';
import { bury } from './tombstone-store.ts';

type EndingSession = Pick<SessionRow, 'id' | 'uid' | 'account_id' | 'payload'>;
export type EndingGrant = Pick<GrantRow, 'id' | 'account_id' | 'client_id' | 'session_uid' | 'sid'>;

const GRANT = 'id, account_id, client_id, session_uid, sid';

/** Overlapping tabs make two rows of one session for a moment. */
export function* rowsOfSession(uid: string) {
  return yield* all<EndingSession>('SELECT id, uid, account_id, payload FROM sessions WHERE uid = ?', uid);
}

export function* removeSession(uid: string) {
  yield* bury(`session:${uid}`);
  yield* run('DELETE FROM sessions WHERE uid = ?', uid);
}

export function* grantsOfSession(uid: string) {
  return yield* all<EndingGrant>(`SELECT ${GRANT} FROM grants WHERE session_uid = ?`, uid);
}

export function* grantById(id: string) {
  return yield* one<EndingGrant>(`SELECT ${GRANT} FROM grants WHERE id = ?`, id);
}

/** An app that stays while its browser session ends stands on its own from now on. */
export function* detach(accountId: string, grantId: string) {
  yield* run('UPDATE grants SET session_uid = NULL WHERE id = ? AND account_id = ?', grantId, accountId);
}

export function* sessionsOfAccount(accountId: string) {
  const rows = yield* all<{ uid: string }>('SELECT DISTINCT uid FROM sessions WHERE account_id = ?', accountId);
  return rows.map(({ uid }) => uid);
}

/** Nobody else gets by here for this account until the unit ends. False where the account is gone, or its epoch (the
 * time of the last sign-out everywhere) is another than the given one. */
export function* standInLine(accountId: string, epoch?: number) {
  const sql = 'UPDATE accounts SET updated_at = updated_at WHERE id = ?';
  const rows = epoch === undefined ? run(sql, accountId) : run(`${sql} AND signed_out_at = ?`, accountId, epoch);
  return (yield* rows) === 1;
}

/** Of the living sessions of an account but one, those behind the `kept` that were used last: by the browser, or by the
 * refresh of an application that was signed in from it. */
export function* unusedBeyond(accountId: string, uid: string, kept: number) {
  const rows = yield* all<{ uid: string }>(
    `SELECT s.uid FROM sessions s LEFT JOIN grants g ON g.session_uid = s.uid
     WHERE s.account_id = ? AND s.uid <> ? AND s.expires_at > ? AND ${LIVING}
     GROUP BY s.uid
     ORDER BY MAX(CASE WHEN g.last_seen_at > s.last_seen_at THEN g.last_seen_at ELSE s.last_seen_at END) DESC,
       MAX(s.created_at) DESC, s.uid`,
    accountId,
    uid,
    Date.now(),
  );
  return rows.slice(kept).map((row) => row.uid);
}

export function* grantsOfAccount(accountId: string) {
  return yield* all<EndingGrant>(`SELECT ${GRANT} FROM grants WHERE account_id = ?`, accountId);
}

export function* forgetConsent(accountId: string, clientId: string) {
  yield* run('DELETE FROM consents WHERE account_id = ? AND client_id = ?', accountId, clientId);
}
