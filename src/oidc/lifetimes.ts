/** How long things live, in seconds. Functions because the protocol core asks with the token at hand. */
import type { Client, KoaContextWithOIDC, RefreshToken, Session } from 'oidc-provider';

export interface Lifetimes {
  accessToken: number;
  authorizationCode: number;
  idToken: number;
  interaction: number;
  deviceCode: number;
  refreshToken: { idle: number; absolute: number };
  session: { idle: number; absolute: number };
}

const DAY = 86_400;

export function ttlConfiguration(lifetimes: Lifetimes) {
  const accessToken = (_ctx: unknown, token: { resourceServer?: { accessTokenTTL?: number } }) =>
    token.resourceServer?.accessTokenTTL ?? lifetimes.accessToken;

  /** What is left of an absolute lifetime that began at `start`, at most `idle`, at least a second. */
  const sliding = ({ idle, absolute }: { idle: number; absolute: number }, start: number | undefined) => {
    const age = start === undefined ? 0 : Math.floor(Date.now() / 1000) - start;
    return Math.max(1, Math.min(idle, absolute - age));
  };

  return {
    AccessToken: accessToken,
    AuthorizationCode: lifetimes.authorizationCode,
    BackchannelAuthenticationRequest: lifetimes.deviceCode,
    ClientCredentials: accessToken,
    DeviceCode: lifetimes.deviceCode,
    IdToken: lifetimes.idToken,
    Interaction: lifetimes.interaction,
    RefreshToken: (_ctx: KoaContextWithOIDC, token: RefreshToken, _client: Client) =>
      sliding(lifetimes.refreshToken, token.iiat),
    Session: (_ctx: KoaContextWithOIDC, session: Session) => sliding(lifetimes.session, session.loginTs),
    // The expiry of a grant is set once and never moves: it covers the longest chain that can hang on it.
    Grant: lifetimes.session.absolute + lifetimes.refreshToken.absolute + DAY,
  } as never;
}
