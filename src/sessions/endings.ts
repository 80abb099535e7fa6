/**
 * The ONE way a session ends, as steps of a unit of work: the session, its grants and tokens, a logout notice for each
 * client that had it (OpenID Connect Back-Channel Logout), and the record, all or nothing.
 */
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import type { Steps } from '../db/statement.ts';
import {
  detach,
  type EndingGrant,
  forgetConsent,
  grantById,
  grantsOfAccount,
  grantsOfSession,
  removeSession,
  rowsOfSession,
  sessionsOfAccount,
} from './ending-store.ts';
import { endGrant } from './grant-store.ts';
import type { SessionPayload } from './session-store.ts';
import { isBuried } from './tombstone-store.ts';

/** Why it ends; who asked is the origin. */
export type EndReason =
  | 'revoked'
  | 'signed_out'
  | 'too_many'
  | 'app_removed'
  | 'password_changed'
  | 'password_reset'
  | 'email_changed'
  | 'email_restored'
  | 'disowned'
  | 'account_disabled'
  | 'account_deleted'
  | 'factors_changed'
  | 'client_revoked'
  | 'code_replayed'
  | 'token_stolen'
  | 'database_restored';

export interface Cause {
  reason: EndReason;
  by: Origin;
}

/** What stays when all else ends: a browser session with the apps that were signed in from it, one app, or the flow of
 * a sign-in under way. */
export interface Kept {
  session?: string | undefined;
  grant?: string | undefined;
  flow?: string | undefined;
}

/** What the outbox carries to a client. `sid` is the client's own name of the session. */
export interface LogoutNotice {
  clientId: string;
  sub: string;
  sid?: string | undefined;
}

export interface EndingsOptions {
  openSession(row: { id: string; payload: string }): SessionPayload;
  audit: Pick<Recorder, 'record'>;
  /** Steps: whether this client wants to hear of the end of a session. */
  wantsNotice(clientId: string): Steps<boolean>;
  /** Steps: the durable outbox. */
  notify(notice: LogoutNotice): Steps<void>;
}

/** Every function is steps and yields the ids of the grants that ended. */
export function createEndings({ openSession, audit, wantsNotice, notify }: EndingsOptions) {
  function* tell(clientId: string, sub: string | null, sid: string | undefined): Steps<void> {
    if (sub !== null && (yield* wantsNotice(clientId))) yield* notify({ clientId, sub, sid });
  }

  /** The clients that are signed in from a session, each with its own name of it. */
  function* clientsOf(payloads: SessionPayload[], grants: EndingGrant[], kept?: string) {
    const clients = new Map<string, string | undefined>();
    for (const { authorizations } of payloads) {
      for (const [clientId, { sid, grantId }] of Object.entries(authorizations ?? {})) {
        // One that was ended by itself was told then.
        if (!grantId || grantId === kept || (yield* isBuried(`grant:${grantId}`))) continue;
        clients.set(clientId, sid);
      }
    }
    for (const { client_id: clientId, sid } of grants) clients.set(clientId, sid ?? clients.get(clientId));
    return clients;
  }

  /** A browser session with every app that was signed in from it. */
  function* session(uid: string, { reason, by }: Cause, kept?: string): Steps<string[]> {
    const rows = yield* rowsOfSession(uid);
    const grants = yield* grantsOfSession(uid);
    const clients = yield* clientsOf(rows.map(openSession), grants, kept);
    yield* removeSession(uid);
    for (const { id } of grants) yield* endGrant(id);
    const account = rows[0]?.account_id ?? grants[0]?.account_id ?? null;
    if (account === null) return [];
    for (const [clientId, sid] of clients) yield* tell(clientId, account, sid);
    const details = { kind: 'browser', reason, clients: [...clients.keys()] };
    yield* audit.record({ type: 'session.ended', account, session: uid, by, details });
    return grants.map(({ id }) => id);
  }

  /** One app, whose browser session goes on. */
  function* app(id: string, { reason, by }: Cause): Steps<string[]> {
    const grant = yield* grantById(id);
    yield* endGrant(id);
    if (!grant) return [];
    const { client_id: client, account_id: account, session_uid: uid } = grant;
    if (reason === 'token_stolen') {
      yield* audit.record({ type: 'refresh.stolen', outcome: 'failure', account, client, session: id, by });
    }
    yield* audit.record({ type: 'session.ended', account, client, session: id, by, details: { kind: 'app', reason } });
    // Who gave its tokens back by itself knows.
    if (reason !== 'client_revoked') yield* tell(client, account, grant.sid ?? (yield* sidIn(uid, client)));
    return [id];
  }

  function* sidIn(uid: string | null, clientId: string): Steps<string | undefined> {
    const [row] = uid === null ? [] : yield* rowsOfSession(uid);
    return row && openSession(row).authorizations?.[clientId]?.sid;
  }

  return {
    session,
    app,

    /** Everything of an account but what is kept. */
    *account(accountId: string, cause: Cause, { session: uid, grant }: Kept = {}): Steps<string[]> {
      if (grant !== undefined) yield* detach(accountId, grant);
      const ended: string[] = [];
      for (const each of yield* sessionsOfAccount(accountId)) {
        if (each !== uid) ended.push(...(yield* session(each, cause, grant)));
      }
      for (const each of yield* grantsOfAccount(accountId)) {
        const stays = each.id === grant || (uid !== undefined && each.session_uid === uid);
        if (!stays) ended.push(...(yield* app(each.id, cause)));
      }
      return ended;
    },

    /** What a client holds of an account, and the consent. */
    *client(accountId: string, clientId: string, by: Origin): Steps<string[]> {
      yield* forgetConsent(accountId, clientId);
      const ended: string[] = [];
      for (const each of yield* grantsOfAccount(accountId)) {
        if (each.client_id === clientId) ended.push(...(yield* app(each.id, { reason: 'app_removed', by })));
      }
      yield* audit.record({ type: 'app.removed', account: accountId, client: clientId, by });
      return ended;
    },
  };
}

export type Endings = ReturnType<typeof createEndings>;
