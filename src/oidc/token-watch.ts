/** Tells how requests to the protocol ended: tokens issued, refreshes, sign-ins that made a session. Changes nothing. */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { type RefreshOutcome, refreshOutcome } from './refresh-replay.ts';

export type Grant = 'authorization_code' | 'refresh_token' | 'client_credentials' | 'device_code' | 'other';

export interface ProtocolObserver {
  tokensIssued(grant: Grant): void;
  refreshed(outcome: RefreshOutcome): void;
  /** A browser got a session of an account. */
  sessionCreated(): void;
  /** A limit refused the request. */
  limited(): void;
}

const GRANTS: Record<string, Grant> = {
  authorization_code: 'authorization_code',
  refresh_token: 'refresh_token',
  client_credentials: 'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code': 'device_code',
};

interface Resumed {
  session?: { accountId?: string };
  result?: { login?: { accountId?: string } };
}

/** Stands outside of what commits a request, so that only what was answered counts. */
export function createTokenWatch({ tokensIssued, refreshed, sessionCreated, limited }: ProtocolObserver) {
  return async function tokenWatch(ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> {
    await next();
    const { oidc } = ctx;
    if (ctx.status === 429) limited();
    if (oidc?.route === 'token') {
      const type = String(oidc.params?.['grant_type']);
      if (type === 'refresh_token') refreshed(refreshOutcome(ctx));
      if (ctx.status === 200) tokensIssued(GRANTS[type] ?? 'other');
    } else if (oidc?.route === 'resume' && ctx.status < 400) {
      const { session, result } = (oidc.entities.Interaction ?? {}) as Resumed;
      const account = result?.login?.accountId;
      if (account && session?.accountId !== account && oidc.session?.accountId === account) sessionCreated();
    }
  };
}
