/** What members of a client's metadata mean together (RFC 7591 section 2.1, RFC 8252, RFC 9700). */
import { type ApplicationType, redirectUriFault } from './redirect-uri.ts';

export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** Members that are right by themselves. One that isn't is left out, and no rule that needs it is asked. */
export interface SoundMembers {
  application_type?: ApplicationType;
  grant_types?: string[];
  response_types?: string[] | undefined;
  redirect_uris?: string[] | undefined;
  post_logout_redirect_uris?: string[] | undefined;
  token_endpoint_auth_method?: string;
  require_pkce?: boolean;
  jwks?: unknown;
  jwks_uri?: unknown;
  refresh_token_idle_ttl?: number | undefined;
  refresh_token_absolute_ttl?: number | undefined;
}

export interface MemberFault {
  path: (string | number)[];
  problem: string;
}

export function clientFaults(client: SoundMembers): MemberFault[] {
  return [...redirectFaults(client), ...grantFaults(client), ...methodFaults(client), ...lifetimeFaults(client)];
}

function redirectFaults({ application_type: applicationType, grant_types: grants, ...client }: SoundMembers) {
  const found: MemberFault[] = [];
  for (const member of ['redirect_uris', 'post_logout_redirect_uris'] as const) {
    for (const [index, uri] of (client[member] ?? []).entries()) {
      const problem = applicationType && redirectUriFault(uri, { applicationType });
      if (problem) found.push({ path: [member, index], problem });
    }
  }
  if (!grants || !('redirect_uris' in client)) return found;
  const codes = grants.includes('authorization_code');
  if (codes && !client.redirect_uris?.length) {
    found.push({ path: ['redirect_uris'], problem: 'is missing, but grant_types has authorization_code' });
  }
  if (!codes && client.redirect_uris?.length) {
    found.push({ path: ['redirect_uris'], problem: 'has no use, because grant_types has no authorization_code' });
  }
  return found;
}

function grantFaults({ grant_types: grants, response_types: types, token_endpoint_auth_method: method }: SoundMembers) {
  const found: MemberFault[] = [];
  if (!grants) return found;
  const codes = grants.includes('authorization_code');
  if (types && types.includes('code') !== codes) {
    const problem = 'does not fit grant_types: code and authorization_code belong together';
    found.push({ path: ['response_types'], problem });
  }
  if (grants.includes('refresh_token') && !codes && !grants.includes(DEVICE_GRANT)) {
    found.push({ path: ['grant_types'], problem: 'has refresh_token, but no grant that would give one' });
  }
  if (grants.includes('client_credentials') && method === 'none') {
    const problem = 'has client_credentials, which a client without credentials can not use';
    found.push({ path: ['grant_types'], problem });
  }
  return found;
}

function methodFaults({ token_endpoint_auth_method: method, require_pkce: pkce, ...client }: SoundMembers) {
  const found: MemberFault[] = [];
  if (client.jwks && client.jwks_uri) {
    found.push({ path: ['jwks_uri'], problem: 'is set beside jwks; one of the two has to go' });
  }
  const keys = !('jwks' in client && 'jwks_uri' in client) || client.jwks || client.jwks_uri;
  if (method === 'private_key_jwt' && !keys) {
    const problem = 'is private_key_jwt, but there is neither jwks nor jwks_uri';
    found.push({ path: ['token_endpoint_auth_method'], problem });
  }
  if (method === 'none' && pkce === false) {
    found.push({ path: ['require_pkce'], problem: 'is false, but a public client always needs PKCE' });
  }
  return found;
}

function lifetimeFaults(client: SoundMembers): MemberFault[] {
  const { refresh_token_idle_ttl: idle, refresh_token_absolute_ttl: absolute } = client;
  if (idle === undefined || absolute === undefined || idle <= absolute) return [];
  return [{ path: ['refresh_token_idle_ttl'], problem: 'is longer than refresh_token_absolute_ttl' }];
}
