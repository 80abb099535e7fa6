/**
 * The protocol core ends sessions and grants by destroying them one by one; here that becomes the one way a session
 * ends, and the storing of one in which somebody signed in the one way it begins. Who asks is found in the request that
 * the core is at.
 */
import Provider, { type KoaContextWithOIDC } from 'oidc-provider';
import { type Origin, SYSTEM } from '../audit/events.ts';
import type { ModelRows, Visit } from './adapter.ts';

/** Those of `EndReason` in sessions/endings.ts that the protocol knows. */
export type ProtocolReason = 'signed_out' | 'client_revoked' | 'code_replayed' | 'token_stolen' | 'revoked';

export interface ProtocolEndingsOptions {
  session: ModelRows;
  /** Stores a session in which somebody just signed in. */
  begin(id: string, payload: Begun, expiresAt: number, visit: Visit, by: Origin, epoch?: number): Promise<void>;
  grant: Omit<ModelRows, 'destroy'>;
  originOf(ctx: KoaContextWithOIDC): Origin;
  /** Ends a browser session with all that hangs on it. */
  signOut(uid: string, by: Origin): Promise<void>;
  endGrant(grantId: string, cause: { reason: ProtocolReason; by: Origin }): Promise<void>;
}

type Begun = Record<string, unknown> & { uid: string; accountId: string };

export function createProtocolEndings(options: ProtocolEndingsOptions) {
  const { session, begin, grant, originOf, signOut, endGrant } = options;
  const origin = (): Origin => (Provider.ctx ? originOf(Provider.ctx) : SYSTEM);

  return {
    /** Who asks in the request under way. */
    origin,

    Session: {
      ...session,
      upsert(id, payload, expiresAt, visit) {
        const login = Provider.ctx?.oidc?.result?.login as { epoch?: number } | undefined;
        return login && payload['accountId']
          ? begin(id, payload as Begun, expiresAt, visit, origin(), login.epoch)
          : session.upsert(id, payload, expiresAt, visit);
      },
      /** At a change of the cookie's value the core destroys the old row; at a sign-out it means the session. */
      destroy: async (id: string) => {
        const { oidc } = Provider.ctx ?? {};
        if (oidc && signsOut(oidc)) await signOut((oidc.session as { uid: string }).uid, origin());
        else await session.destroy(id);
      },
    } satisfies ModelRows,

    Grant: {
      ...grant,
      destroy: async (id: string) => {
        const { oidc } = Provider.ctx ?? {};
        // The session is destroyed next, and ends its grants in one unit of work.
        if (oidc && signsOut(oidc)) return;
        await endGrant(id, { reason: oidc ? reasonOf(oidc) : 'revoked', by: origin() });
      },
    } satisfies ModelRows,

    stolen: (grantId: string) => endGrant(grantId, { reason: 'token_stolen', by: origin() }),
  };
}

type Oidc = KoaContextWithOIDC['oidc'];

function signsOut(oidc: Oidc): boolean {
  return oidc.route === 'end_session' || (oidc.route === 'end_session_confirm' && Boolean(oidc.params?.['logout']));
}

function reasonOf({ route, params }: Oidc): ProtocolReason {
  if (route === 'revocation') return 'client_revoked';
  if (route === 'end_session_confirm') return 'signed_out';
  if (route !== 'token') return 'revoked';
  return params?.['grant_type'] === 'refresh_token' ? 'token_stolen' : 'code_replayed';
}
