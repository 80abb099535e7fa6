/** The part of the protocol core's configuration that decides what a client may be. */
import { type Configuration, errors } from 'oidc-provider';
import { SCOPES } from './claims.ts';

/** Our own members that hold seconds. */
const SECONDS: Record<string, { min: number; max: number }> = {
  refresh_replay_window: { min: 0, max: 300 },
  refresh_token_idle_ttl: { min: 1, max: 365 * 86_400 },
  refresh_token_absolute_ttl: { min: 1, max: 365 * 86_400 },
};

const SIGNING = ['RS256', 'ES256', 'EdDSA'];

export const CLIENT_RULES = (resourceScopes: string[]): Configuration => ({
  responseTypes: ['code'],
  scopes: [...SCOPES, ...resourceScopes],
  clientDefaults: {
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    id_token_signed_response_alg: 'RS256',
    token_endpoint_auth_method: 'client_secret_basic',
  },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none', 'private_key_jwt'],
  extraClientMetadata: {
    properties: ['first_party', 'require_pkce', 'require_second_factor', ...Object.keys(SECONDS)],
    validator: (_ctx, key, value) => {
      if (value === undefined) return;
      const bounds = SECONDS[key];
      if (bounds) {
        if (Number.isInteger(value) && (value as number) >= bounds.min && (value as number) <= bounds.max) return;
        throw new errors.InvalidClientMetadata(`${key} must be seconds from ${bounds.min} to ${bounds.max}`);
      }
      if (typeof value !== 'boolean') throw new errors.InvalidClientMetadata(`${key} must be true or false`);
    },
  },
  enabledJWA: {
    idTokenSigningAlgValues: SIGNING,
    userinfoSigningAlgValues: SIGNING,
    clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    dPoPSigningAlgValues: ['ES256', 'EdDSA', 'RS256', 'PS256'],
    requestObjectSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
  } as never,
});

/** Features that add or remove members of client metadata, or grant types. */
export const FEATURES_OF_CLIENTS = {
  devInteractions: { enabled: false },
  backchannelLogout: { enabled: true },
  clientCredentials: { enabled: true },
  deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****' },
  dPoP: { enabled: true },
  introspection: { enabled: true },
  pushedAuthorizationRequests: { enabled: true },
  resourceIndicators: { enabled: true },
  revocation: { enabled: true },
  rpInitiatedLogout: { enabled: true },
} satisfies Configuration['features'];
