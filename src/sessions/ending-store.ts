/** Steps that end sessions: the browser session, the grants that hang on it, their tokens, and a tombstone for each. */
import { all, run } from '../db/statement.ts';
import { bury, endGrant } from './grant-store.ts';

/** Ends a browser session with everything that was signed in from it. Yields the ids of the ended grants. */
export function* endBrowserSession(uid: string) {
  yield* bury(`session:${uid}`);
  yield* run('DELETE FROM sessions WHERE uid = ?', uid);
  const grants = yield* all<{ id: string }>('SELECT id FROM grants WHERE session_uid = ?', uid);
  for (const { id } of grants) yield* endGrant(id);
  return grants.map(({ id }) => id);
}

/** What stays when all else ends: a browser session with the apps that were signed in from it, or one app. */
export interface Kept {
  session?: string | undefined;
  grant?: string | undefined;
}

/** Ends every session of an account but what is kept. Yields the ids of the ended grants. */
export function* endAllOf(accountId: string, { session = '', grant }: Kept = {}) {
  // An app that stays while its browser session ends stands on its own from now on.
  if (grant !== undefined) {
    yield* run('UPDATE grants SET session_uid = NULL WHERE id = ? AND account_id = ?', grant, accountId);
  }
  const sessions = yield* all<{ uid: string }>(
    'SELECT DISTINCT uid FROM sessions WHERE account_id = ? AND uid <> ?',
    accountId,
    session,
  );
  const ended: string[] = [];
  for (const { uid } of sessions) ended.push(...(yield* endBrowserSession(uid)));
  const grants = yield* all<{ id: string }>(
    `SELECT id FROM grants WHERE account_id = ? AND id <> ? AND (? = '' OR COALESCE(session_uid, '') <> ?)`,
    accountId,
    grant ?? '',
    session,
    session,
  );
  for (const { id } of grants) yield* endGrant(id);
  return [...ended, ...grants.map(({ id }) => id)];
}

/** Ends what a client holds of an account, and forgets the consent. */
export function* endApp(accountId: string, clientId: string) {
  yield* run('DELETE FROM consents WHERE account_id = ? AND client_id = ?', accountId, clientId);
  const grants = yield* all<{ id: string }>(
    'SELECT id FROM grants WHERE account_id = ? AND client_id = ?',
    accountId,
    clientId,
  );
  for (const { id } of grants) yield* endGrant(id);
  return grants.map(({ id }) => id);
}
