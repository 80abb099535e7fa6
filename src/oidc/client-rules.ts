/** The part of the protocol core's configuration that decides what a client may be. */
import { type Configuration, errors } from 'oidc-provider';
import { SCOPES } from './claims.ts';

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
    properties: ['first_party', 'require_pkce', 'refresh_replay_window'],
    validator: (_ctx, key, value) => {
      if (value === undefined) return;
      if (key === 'refresh_replay_window') {
        if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 300) return;
        throw new errors.InvalidClientMetadata(`${key} must be a number of seconds from 0 to 300`);
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
  clientCredentials: { enabled: true },
  deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****' },
  dPoP: { enabled: true },
  introspection: { enabled: true },
  pushedAuthorizationRequests: { enabled: true },
  resourceIndicators: { enabled: true },
  revocation: { enabled: true },
  rpInitiatedLogout: { enabled: true },
} satisfies Configuration['features'];
