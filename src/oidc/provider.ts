/**
 * The protocol core, configured. Everything that the core leaves open is decided here or in the files beside it;
 * the pages it shows are handed in, because this folder knows no template.
 */
import { randomBytes } from 'node:crypto';
import Provider, { type Account, type Configuration, errors, type JWK, type KoaContextWithOIDC } from 'oidc-provider';
import { newIdentifier } from '../artifacts/identifier.ts';
import { ACR_VALUES } from '../factors/assurance.ts';
import { answerAcr, signInClaims } from './acr.ts';
import type { createAdapter } from './adapter.ts';
import { SCOPE_CLAIMS } from './claims.ts';
import { originsOf } from './client-members.ts';
import { CLIENT_RULES, FEATURES_OF_CLIENTS } from './client-rules.ts';
import type { createGrantLoader } from './grants.ts';
import { createInteractionPolicy, type InteractionRules } from './interactions.ts';
import { type Lifetimes, ttlConfiguration } from './lifetimes.ts';
import { leaveNoticesToOutbox } from './logout-notice.ts';
import type { Resources } from './resources.ts';
import { signOutAtOnce } from './sign-out.ts';
import { SIGNING_FEATURE, signingKey } from './signing.ts';
import { orUnavailable } from './unavailable.ts';

export const ROUTES = {
  authorization: '/oauth2/authorize',
  token: '/oauth2/token',
  userinfo: '/oauth2/userinfo',
  jwks: '/.well-known/jwks.json',
  introspection: '/oauth2/introspect',
  revocation: '/oauth2/revoke',
  pushed_authorization_request: '/oauth2/par',
  device_authorization: '/oauth2/device_authorization',
  code_verification: '/device',
  end_session: '/oauth2/logout',
  registration: '/oauth2/register',
  backchannel_authentication: '/oauth2/bc-authorize',
} as const;

/** Addresses that only programs ask. */
export const MACHINE_PATHS: ReadonlySet<string> = new Set([
  ROUTES.token,
  ROUTES.userinfo,
  ROUTES.introspection,
  ROUTES.revocation,
  ROUTES.pushed_authorization_request,
  ROUTES.device_authorization,
]);

/** Of these, the ones at which nothing is stored but ids that must not come twice. */
export const READ_ONLY: ReadonlySet<string> = new Set([ROUTES.userinfo, ROUTES.introspection]);

/** The client by which the hosted account pages sign people in; its codes can't be redeemed. */
export const ACCOUNT_CLIENT_ID = 'latchkey-account';

export interface ProviderPages {
  error(ctx: KoaContextWithOIDC, out: { error: string; error_description?: string | undefined }, error: Error): void;
  signOut(ctx: KoaContextWithOIDC): void;
  signedOut(ctx: KoaContextWithOIDC): void;
  deviceEnter(ctx: KoaContextWithOIDC, error?: Error): void;
  deviceConfirm(ctx: KoaContextWithOIDC, userCode: string): void;
  deviceDone(ctx: KoaContextWithOIDC): void;
}

export interface ProviderOptions extends InteractionRules {
  issuer: string;
  adapter: ReturnType<typeof createAdapter>;
  jwks: { keys: JWK[] };
  cookieKeys: unknown;
  secureCookies: boolean;
  lifetimes: Lifetimes;
  resources: Resources;
  locales: string[];
  links: { terms?: string | undefined; privacy?: string | undefined };
  accountRedirectUri: string;
  loadExistingGrant: ReturnType<typeof createGrantLoader>;
  findAccount(id: string): Promise<Account | undefined>;
  /** Path of the page that answers a prompt; binds the interaction to the browser on the way. */
  interactionUrl(ctx: KoaContextWithOIDC, interaction: { uid: string; prompt: { name: string } }): string;
  pages: ProviderPages;
  fetch?: typeof fetch;
}

export function cookieNames(secure: boolean) {
  return secure
    ? {
        session: '__Host-latchkey_session',
        interaction: '__Secure-latchkey_interaction',
        resume: '__Secure-latchkey_resume',
      }
    : { session: 'latchkey_session', interaction: 'latchkey_interaction', resume: 'latchkey_resume' };
}

function sessionCookie(secure: boolean) {
  return { httpOnly: true, sameSite: 'lax', signed: true, secure, path: '/' } as const;
}

export function createProvider(options: ProviderOptions): Provider {
  const provider = new Provider(options.issuer, configuration(options));
  // The outer layer has deleted what a client sent and set the truth: scheme, host and one address.
  provider.proxy = true;
  timeOrderedIdentifiers(provider);
  anyPortOfLoopbackLiterals(provider);
  answerAcr(provider);
  leaveNoticesToOutbox(provider);
  return provider;
}

function configuration(options: ProviderOptions): Configuration {
  const { pages, secureCookies: secure } = options;
  const cookie = sessionCookie(secure);
  const { path: _path, ...shortCookie } = cookie;
  return {
    adapter: options.adapter as never,
    jwks: { keys: options.jwks.keys.map(signingKey) },
    clients: [accountClient(options.accountRedirectUri)],
    cookies: { names: cookieNames(secure), long: cookie, short: shortCookie, keys: options.cookieKeys as never },
    routes: ROUTES,
    ...CLIENT_RULES(options.resources.scopes),
    claims: { ...SCOPE_CLAIMS, iss: null, sid: null } as never,
    acrValues: [...ACR_VALUES],
    extraTokenClaims: async (ctx) => signInClaims(ctx) as never,
    conformIdTokenClaims: false,
    pkce: {
      required: (_ctx, client) => client.clientAuthMethod === 'none' || client['require_pkce'] !== false,
    },
    ttl: ttlConfiguration(options.lifetimes),
    rotateRefreshToken,
    // Tokens of one sign-in end together, and the session list never shows what holds nothing any more.
    revokeGrantPolicy: () => true,
    issueRefreshToken: async (_ctx, client, source) =>
      client.grantTypeAllowed('refresh_token') && source.scopes.has('openid'),
    // An app with refresh tokens is a session of its own; others end with the browser's.
    expiresWithSession: async (ctx) => !ctx.oidc.client?.grantTypeAllowed('refresh_token'),
    loadExistingGrant: orUnavailable(options.loadExistingGrant),
    findAccount: orUnavailable(async (_ctx: KoaContextWithOIDC, id: string) => options.findAccount(id)),
    interactions: {
      policy: createInteractionPolicy({
        hasLapsed: orUnavailable(options.hasLapsed),
        sufficesHere: orUnavailable(options.sufficesHere),
      }),
      url: async (ctx, interaction) => options.interactionUrl(ctx, interaction as never),
    },
    clientBasedCORS: (_ctx, origin, client) =>
      origin !== 'null' && originsOf({ redirect_uris: client.redirectUris }).includes(origin),
    assertJwtClientAuthClaimsAndHeader: async (ctx, { aud }) => {
      if (aud !== ctx.oidc.issuer) throw new errors.InvalidClientAuth('aud must be the issuer, as one string');
    },
    renderError: async (ctx, out, error) => pages.error(ctx, out as never, error),
    discovery: {
      ui_locales_supported: options.locales,
      prompt_values_supported: ['none', 'login', 'consent', 'create'],
      op_tos_uri: options.links.terms,
      op_policy_uri: options.links.privacy,
      claim_types_supported: ['normal'],
    },
    acceptQueryParamAccessTokens: false,
    allowOmittingSingleRegisteredRedirectUri: false,
    features: features(options),
    ...(options.fetch ? { fetch: options.fetch as never } : {}),
  };
}

function features(options: ProviderOptions): NonNullable<Configuration['features']> {
  const { pages, resources } = options;
  return {
    ...FEATURES_OF_CLIENTS,
    ...SIGNING_FEATURE,
    claimsParameter: { enabled: true },
    deviceFlow: {
      ...FEATURES_OF_CLIENTS.deviceFlow,
      userCodeInputSource: async (ctx, _form, _out, error) => pages.deviceEnter(ctx, error),
      userCodeConfirmSource: async (ctx, _form, _client, _info, userCode) => pages.deviceConfirm(ctx, userCode),
      successSource: async (ctx) => pages.deviceDone(ctx),
    },
    introspection: {
      enabled: true,
      // A caller sees its own tokens and, as a resource server, those meant for it (RFC 7662 section 4). What a client
      // holds that is switched off or gone is not active: the core looks for it and takes for granted that it is there.
      allowedPolicy: async (ctx, client, token) => {
        if (client.clientAuthMethod === 'none') return false;
        if (token.clientId === client.clientId) return true;
        if ((token as { aud?: unknown }).aud !== client.clientId) return false;
        return (await ctx.oidc.provider.Client.find(token.clientId as string)) !== undefined;
      },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: async (_ctx, _client, oneOf) => (oneOf as string[] | undefined) ?? (undefined as never),
      useGrantedResource: async () => true,
      getResourceServerInfo: async (ctx, indicator) => resources.serverInfo(ctx, indicator),
    },
    rpInitiatedLogout: {
      enabled: true,
      async logoutSource(ctx) {
        if (!(await signOutAtOnce(ctx, sessionCookie(options.secureCookies)))) pages.signOut(ctx);
      },
      postLogoutSuccessSource: async (ctx) => pages.signedOut(ctx),
    },
    userinfo: { enabled: true },
  };
}

/** Public clients rotate at every use; confidential ones late, because a Next.js server component can't store a new
 * token (DESIGN section 5). */
function rotateRefreshToken(ctx: KoaContextWithOIDC): boolean {
  const { RefreshToken: token, Client: client } = ctx.oidc.entities;
  if (!token || !client) return true;
  return client.clientAuthMethod === 'none' || token.ttlPercentagePassed() >= 70;
}

/** Nobody knows its secret: whoever chose the challenge of one of its codes still can't redeem it (P11). */
function accountClient(redirectUri: string) {
  return {
    client_id: ACCOUNT_CLIENT_ID,
    client_name: 'Latchkey',
    redirect_uris: [redirectUri],
    response_types: ['code'] as ['code'],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: 'client_secret_basic' as const,
    client_secret: randomBytes(32).toString('base64url'),
    scope: 'openid',
    first_party: true,
  };
}

/** `localhost` may resolve elsewhere (RFC 8252 section 8.3): the core lets native clients vary its port, too (P02). */
function anyPortOfLoopbackLiterals({ Client }: Provider): void {
  const prototype = Client.prototype as unknown as { redirectUris: string[]; redirectUriAllowed(uri: string): boolean };
  const allowed = prototype.redirectUriAllowed;
  prototype.redirectUriAllowed = function redirectUriAllowed(uri) {
    return this.redirectUris.includes(uri) || (URL.parse(uri)?.hostname !== 'localhost' && allowed.call(this, uri));
  };
}

/** Tokens and grants are named by time and 256 random bits, so that their hashes lie in the order of creation. */
function timeOrderedIdentifiers(provider: Provider): void {
  const tokens = [provider.AccessToken, provider.ClientCredentials, provider.RefreshToken, provider.AuthorizationCode];
  const more = [provider.DeviceCode, provider.Grant, provider.PushedAuthorizationRequest];
  for (const model of [...tokens, ...more]) {
    const prototype = model.prototype as unknown as { generateTokenId(): string };
    const original = prototype.generateTokenId;
    prototype.generateTokenId = function generateTokenId() {
      // The core decides the format of an access token on the way.
      original.call(this);
      return newIdentifier(model.name);
    };
  }
}
