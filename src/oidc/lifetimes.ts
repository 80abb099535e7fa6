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
/** What a client's own setting may ask for. */
const LONGEST_CHAIN = 365 * DAY;

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
    RefreshToken: (_ctx: KoaContextWithOIDC, token: RefreshToken, client: Client) =>
      sliding(
        {
          idle: (client['refresh_token_idle_ttl'] as number | undefined) ?? lifetimes.refreshToken.idle,
          absolute: (client['refresh_token_absolute_ttl'] as number | undefined) ?? lifetimes.refreshToken.absolute,
        },
        token.iiat,
      ),
    Session: (_ctx: KoaContextWithOIDC, session: Session) => sliding(lifetimes.session, session.loginTs),
    // The expiry of a grant is set once and never moves: it covers the longest chain that can hang on it.
    Grant: lifetimes.session.absolute + Math.max(lifetimes.refreshToken.absolute, LONGEST_CHAIN) + DAY,
  } as never;
}
