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
