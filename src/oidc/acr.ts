/**
 * What tokens say of the sign-in (OpenID Connect Core 1.0 section 2, RFC 9470 section 6): `acr` answers what was asked,
 * and access tokens carry it with `amr` and `auth_time` for resource servers and for our own API.
 */
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { acrRequest, reached } from '../factors/assurance.ts';

/** The core would repeat the session's own class, although a stronger sign-in meets a weaker demand. */
export function answerAcr(provider: Provider): void {
  const { prototype } = (provider as unknown as { OIDCContext: { prototype: object } }).OIDCContext;
  Object.defineProperty(prototype, 'acr', {
    configurable: true,
    get(this: KoaContextWithOIDC['oidc']) {
      const { amr } = this.session as { amr?: string[] };
      return amr && reached(amr, acrRequest(this.params ?? {}).values);
    },
  });
}

interface SignInSource {
  acr?: string;
  amr?: string[];
  authTime?: number;
}

/** For access tokens of a person; a client's own tokens know no sign-in. */
export function signInClaims(ctx: KoaContextWithOIDC): Record<string, unknown> | undefined {
  const { AuthorizationCode, RefreshToken, DeviceCode } = ctx.oidc.entities;
  const source = (AuthorizationCode ?? RefreshToken ?? DeviceCode) as SignInSource | undefined;
  if (source?.authTime === undefined) return undefined;
  const { acr, amr, authTime: auth_time } = source;
  return { auth_time, ...(acr ? { acr } : {}), ...(amr ? { amr } : {}) };
}

export interface SignInRows {
  Session: { findByUid(uid: string): Promise<{ loginTs?: number; amr?: string[] } | undefined> };
  RefreshToken: { newestOf(grantId: string): Promise<SignInSource | undefined> };
}

/**
 * When (seconds since 1970) and by which methods the person signed in for an access token. Tokens of 0.1.0 do not say:
 * their session does, and where it ended and the app stayed, as after a change of the password, its refresh token.
 */
export async function signInOf(
  { extra = {}, sessionUid, grantId }: IssuedToken,
  { Session, RefreshToken }: SignInRows,
): Promise<{ authTime?: number | undefined; amr?: string[] | undefined }> {
  if (extra.auth_time !== undefined) return { authTime: extra.auth_time, amr: extra.amr };
  const session = sessionUid === undefined ? undefined : await Session.findByUid(sessionUid);
  if (session) return { authTime: session.loginTs, amr: session.amr };
  const refreshToken = grantId === undefined ? undefined : await RefreshToken.newestOf(grantId);
  return { authTime: refreshToken?.authTime, amr: refreshToken?.amr };
}

interface IssuedToken {
  extra?: { auth_time?: number; amr?: string[] };
  sessionUid?: string;
  grantId?: string;
}
