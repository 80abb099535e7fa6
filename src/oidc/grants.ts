/**
 * Finds or makes the grant of an authorization request: one a session and client. First-party clients get what they
 * ask; others what the person allowed, now or earlier (`consents`).
 */
import type { Grant, KoaContextWithOIDC } from 'oidc-provider';
import type { Origin } from '../audit/events.ts';

/** What a person allowed a client, remembered beyond the session. */
export interface Allowed {
  scopes: string[];
  claims: string[];
  resources: Record<string, string[]>;
}

export interface ConsentMemory {
  find(accountId: string, clientId: string): Promise<Allowed | undefined>;
  remember(accountId: string, clientId: string, allowed: Allowed, by: Origin): Promise<void>;
}

export function createGrantLoader(consents: ConsentMemory, originOf: (ctx: KoaContextWithOIDC) => Origin) {
  return async function loadExistingGrant(ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
    const { client, session, account, provider } = ctx.oidc;
    if (!client || !session || !account) return undefined;
    const grantId = session.grantIdFor(client.clientId);
    const found = grantId ? await provider.Grant.find(grantId) : undefined;
    const grant =
      found && found.accountId === account.accountId
        ? found
        : new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
    const asked = requested(ctx);
    const allowed = await allowedNow(ctx, consents, asked, originOf);
    const changed = add(grant, allowed, asked);
    if (!changed && !found) return undefined;
    if (changed) await grant.save();
    return grant;
  };
}

async function allowedNow(
  ctx: KoaContextWithOIDC,
  consents: ConsentMemory,
  asked: Allowed,
  originOf: (ctx: KoaContextWithOIDC) => Origin,
): Promise<Allowed> {
  const accountId = ctx.oidc.account?.accountId as string;
  const clientId = ctx.oidc.client?.clientId as string;
  if (ctx.oidc.client?.['first_party'] === true) return asked;
  const earlier = await consents.find(accountId, clientId);
  if (!consented(ctx)) return earlier ?? { scopes: [], claims: [], resources: {} };
  const merged = merge(earlier, asked);
  await consents.remember(accountId, clientId, merged, originOf(ctx));
  return merged;
}

/** The consent page's answer to this very request; nothing else of a result grants anything. */
function consented(ctx: KoaContextWithOIDC): boolean {
  const result = ctx.oidc.result as { consent?: { allowed?: unknown } } | undefined;
  return result?.consent?.allowed === true;
}

/** Everything that the request asks for. */
export function requested(ctx: KoaContextWithOIDC): Allowed {
  const { requestParamOIDCScopes, requestParamScopes, requestParamClaims, resourceServers } = ctx.oidc;
  const resources: Record<string, string[]> = {};
  for (const [indicator, server] of Object.entries(resourceServers ?? {})) {
    resources[indicator] = [...requestParamScopes].filter((scope) => server.scopes.has(scope));
  }
  return { scopes: [...requestParamOIDCScopes], claims: [...requestParamClaims], resources };
}

function merge(left: Allowed | undefined, right: Allowed): Allowed {
  const union = (a: string[] = [], b: string[] = []) => [...new Set([...a, ...b])].sort();
  const resources = { ...left?.resources };
  for (const [indicator, scopes] of Object.entries(right.resources)) {
    resources[indicator] = union(resources[indicator], scopes);
  }
  return { scopes: union(left?.scopes, right.scopes), claims: union(left?.claims, right.claims), resources };
}

/** Adds to the grant what is asked and allowed; true when that changed it. */
function add(grant: Grant, allowed: Allowed, asked: Allowed): boolean {
  const missing = (wanted: string[], permitted: string[] = [], present: Iterable<string>) => {
    const has = new Set(present);
    return wanted.filter((each) => permitted.includes(each) && !has.has(each));
  };
  const scopes = missing(asked.scopes, allowed.scopes, grant.getOIDCScopeEncountered().split(' '));
  if (scopes.length > 0) grant.addOIDCScope(scopes.join(' '));
  const claims = missing(asked.claims, allowed.claims, grant.getOIDCClaimsEncountered());
  if (claims.length > 0) grant.addOIDCClaims(claims);
  let changed = scopes.length > 0 || claims.length > 0;
  for (const [indicator, wanted] of Object.entries(asked.resources)) {
    const present = grant.getResourceScopeEncountered(indicator).split(' ');
    const more = missing(wanted, allowed.resources[indicator], present);
    if (more.length > 0) grant.addResourceScope(indicator, more.join(' '));
    changed ||= more.length > 0;
  }
  return changed;
}
