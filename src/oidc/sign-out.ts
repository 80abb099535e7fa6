/**
 * Signing out by an application that shows an ID token of this very session: it has asked already, so nobody is asked
 * again (OpenID Connect RP-Initiated Logout 1.0 section 2). Without such a token the person decides.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';

/** True when the session was ended and the browser sent on. The core has validated the token's signature and client,
 * and the address to go to. */
export async function signOutAtOnce(ctx: KoaContextWithOIDC, cookie: object): Promise<boolean> {
  const { session, client, entities, provider, params } = ctx.oidc;
  const hint = (entities['IdTokenHint'] as { payload?: { sub?: unknown; sid?: unknown } } | undefined)?.payload;
  if (!session?.accountId || !client || hint?.sub !== session.accountId) return false;
  if (hint.sid !== undefined && hint.sid !== session.sidFor(client.clientId)) return false;
  await session.destroy();
  ctx.cookies.set(provider.cookieName('session'), null, cookie);
  const back = params?.['post_logout_redirect_uri'] as string | undefined;
  ctx.redirect(back === undefined ? ctx.oidc.urlFor('end_session_success') : withState(back, params?.['state']));
  ctx.status = 303;
  return true;
}

function withState(uri: string, state: unknown): string {
  if (typeof state !== 'string') return uri;
  return `${uri}${uri.includes('?') ? '&' : '?'}${new URLSearchParams({ state })}`;
}
