/**
 * Where a person is signed in, and the doors to the ONE way a session ends (endings.ts), whoever asks: page, API,
 * command line, sign-out, password change, disabling. A browser session ends with every app signed in from it.
 */
import { type Origin, SYSTEM } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import type { Steps, Unit } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import { createBeginning } from './beginning.ts';
import { type Device, describeDevice } from './device.ts';
import type { Cause, Endings, Kept } from './endings.ts';
import type { GrantPayload, GrantRow, GrantStore } from './grant-store.ts';
import type { SessionPayload, SessionRow, SessionStore, Visitor } from './session-store.ts';

export interface SessionApp {
  client_id: string;
  name: string;
  scopes: string[];
  offline: boolean;
}

/** An entry of the list. Times are ISO 8601 in UTC. */
export interface SessionEntry {
  id: string;
  kind: 'browser' | 'app';
  current: boolean;
  created_at: string;
  last_seen_at: string;
  expires_at: string;
  ip: string | null;
  device: Device;
  apps: SessionApp[];
}

export interface ConnectedApp {
  client_id: string;
  name: string;
  uri: string | null;
  first_party: boolean;
  scopes: string[];
  granted_at: string;
  last_used_at: string | null;
}

export interface SessionsOptions {
  db: Database;
  sessions: SessionStore;
  grants: GrantStore;
  endings: Endings;
  /** How many browser sessions a person may have at once. */
  max: number;
  consents: {
    ofAccount(
      accountId: string,
    ): Promise<
      Array<{ clientId: string; allowed: { scopes: string[]; resources: Record<string, string[]> }; since: number }>
    >;
  };
  /** Name and whereabouts of a client; undefined for one that is gone or internal. */
  client(id: string): Promise<{ name: string; uri: string | null; firstParty: boolean } | undefined>;
  /** Steps: sign-ins that are not finished end, too. @throws AppError unauthenticated where what is kept ended before. */
  endUnfinished(accountId: string, kept: Kept): Steps<void>;
  /** Opaque tokens of a volatile store, after the commit; they are dead already by the tombstone. */
  forgetTokens(grantId: string): Promise<void>;
  /** After a commit: logout notices wait in the outbox. */
  wake(): void;
}

export interface CurrentSession {
  uid: string;
  accountId: string;
  /** When the person last proved who they are, in seconds since 1970. */
  authTime: number;
  /** By which methods, RFC 8176. */
  amr: string[];
}

export function createSessions(options: SessionsOptions) {
  const { db, sessions, grants, endings } = options;

  async function end(unit: Unit<string[]>): Promise<void> {
    await ended(await db.write(unit));
  }

  async function ended(grantIds: string[]): Promise<void> {
    options.wake();
    await Promise.all(grantIds.map((id) => options.forgetTokens(id).catch(() => {})));
  }

  async function appOf(row: GrantRow, payload: GrantPayload): Promise<SessionApp | undefined> {
    const client = await options.client(row.client_id);
    return (
      client && {
        client_id: row.client_id,
        name: client.name,
        scopes: scopesOf(payload),
        offline: row.offline_until > Date.now(),
      }
    );
  }

  /** All entries of an account, the current one first, then by last use. */
  async function list(accountId: string, currentUid?: string): Promise<SessionEntry[]> {
    const [browsers, held] = await Promise.all([sessions.ofAccount(accountId), grants.ofAccount(accountId)]);
    const entries: SessionEntry[] = [];
    for (const { row, payload } of newestOfEach(browsers)) {
      const own = held.filter((grant) => grant.row.session_uid === row.uid);
      const apps = await Promise.all(own.map((grant) => appOf(grant.row, grant.payload)));
      entries.push(entry({ ...row, id: row.uid }, 'browser', row.uid === currentUid, present(apps), payload));
    }
    for (const { row, payload } of held.filter((grant) => grant.row.offline_until > Date.now())) {
      const app = await appOf(row, payload);
      if (app) entries.push(entry({ ...row, expires_at: row.offline_until }, 'app', false, [app]));
    }
    return entries.sort(
      (a, b) => Number(b.current) - Number(a.current) || b.last_seen_at.localeCompare(a.last_seen_at),
    );
  }

  return {
    list,

    begin: createBeginning({ ...options, onEnded: (grantIds) => void ended(grantIds) }),

    /** The signed-in browser session of a cookie value, or undefined. */
    async current(cookie: string | undefined, visitor: Visitor): Promise<CurrentSession | undefined> {
      const found = cookie ? await sessions.current(cookie, visitor) : undefined;
      if (!found?.payload.accountId) return undefined;
      const { accountId, loginTs = 0, amr = [] } = found.payload;
      return { uid: found.row.uid, accountId, authTime: loginTs, amr };
    },

    /** Ends one session of this account. @throws AppError not_found, also for somebody else's id. */
    async revoke(accountId: string, id: string, by: Origin = SYSTEM): Promise<void> {
      const entries = await list(accountId);
      const target = entries.find((each) => each.id === id);
      if (!target) throw new AppError('not_found', { message: 'There is no such session.' });
      const cause: Cause = { reason: 'revoked', by };
      await end(() => (target.kind === 'browser' ? endings.session(id, cause) : endings.app(id, cause)));
    },

    /** Ends every session of an account but what is kept, and sign-ins under way. @throws AppError unauthenticated. */
    revokeAll: (accountId: string, kept: Kept = {}, by: Origin = SYSTEM): Promise<void> =>
      end(function* () {
        yield* options.endUnfinished(accountId, kept);
        return yield* endings.account(accountId, { reason: 'revoked', by }, kept);
      }),

    /** The same as steps of a caller's unit of work. Wake the outbox after its commit. */
    ending: (accountId: string, cause: Cause, kept?: Kept): Steps<string[]> => endings.account(accountId, cause, kept),

    /** The browser session itself signed out, by the protocol or by a page. */
    signOut: (uid: string, by: Origin = SYSTEM): Promise<void> =>
      end(() => endings.session(uid, { reason: 'signed_out', by })),

    /** The protocol ends what a client holds: tokens given back, a code or a refresh token used twice. */
    endGrant: (grantId: string, cause: Cause): Promise<void> => end(() => endings.app(grantId, cause)),

    /** Applications that hold something of this account or were allowed to ask for it, by name. */
    async apps(accountId: string): Promise<ConnectedApp[]> {
      const [held, allowed] = await Promise.all([grants.ofAccount(accountId), options.consents.ofAccount(accountId)]);
      const ids = new Set([...held.map(({ row }) => row.client_id), ...allowed.map(({ clientId }) => clientId)]);
      const apps = await Promise.all(
        [...ids].map(async (clientId): Promise<ConnectedApp | undefined> => {
          const client = await options.client(clientId);
          if (!client) return undefined;
          const own = held.filter(({ row }) => row.client_id === clientId);
          const consent = allowed.find((each) => each.clientId === clientId);
          const since = [...own.map(({ row }) => row.created_at), ...(consent ? [consent.since] : [])];
          const remembered = consent
            ? [...consent.allowed.scopes, ...Object.values(consent.allowed.resources).flat()]
            : [];
          return {
            client_id: clientId,
            name: client.name,
            uri: client.uri,
            first_party: client.firstParty,
            scopes: [...new Set([...own.flatMap(({ payload }) => scopesOf(payload)), ...remembered])],
            granted_at: iso(Math.min(...since)),
            last_used_at: own.length === 0 ? null : iso(Math.max(...own.map(({ row }) => row.last_seen_at))),
          };
        }),
      );
      return present(apps).sort((a, b) => a.name.localeCompare(b.name) || a.client_id.localeCompare(b.client_id));
    },

    /** Takes back what an application was allowed and ends what it holds. @throws AppError not_found. */
    async removeApp(accountId: string, clientId: string, by: Origin = SYSTEM): Promise<void> {
      const apps = await this.apps(accountId);
      if (!apps.some((app) => app.client_id === clientId)) {
        throw new AppError('not_found', { message: 'This application is not connected to the account.' });
      }
      await end(() => endings.client(accountId, clientId, by));
    },
  };
}

export type Sessions = ReturnType<typeof createSessions>;

function entry(
  row: Pick<SessionRow, 'id' | 'ip' | 'user_agent' | 'created_at' | 'last_seen_at' | 'expires_at'>,
  kind: SessionEntry['kind'],
  current: boolean,
  apps: SessionApp[],
  payload?: SessionPayload,
): SessionEntry {
  return {
    id: row.id,
    kind,
    current,
    created_at: iso(payload?.loginTs === undefined ? row.created_at : payload.loginTs * 1000),
    last_seen_at: iso(row.last_seen_at),
    expires_at: iso(row.expires_at),
    ip: row.ip,
    device: describeDevice(row.user_agent),
    apps,
  };
}

/** Overlapping tabs make two rows of one session for a moment. */
function newestOfEach(found: Array<{ row: SessionRow; payload: SessionPayload }>) {
  const byUid = new Map<string, (typeof found)[number]>();
  for (const each of found) {
    const known = byUid.get(each.row.uid);
    if (!known || known.row.last_seen_at < each.row.last_seen_at) byUid.set(each.row.uid, each);
  }
  return [...byUid.values()];
}

function scopesOf(payload: GrantPayload): string[] {
  const words = [payload.openid?.scope, ...Object.values(payload.resources ?? {})].join(' ').split(' ');
  return [...new Set(words.filter((word) => word !== ''))];
}

function present<Value>(values: Array<Value | undefined>): Value[] {
  return values.filter((value) => value !== undefined);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
