/** The clients, the resource and the routes that every measured server has, in the words of each. */

export const SECRET = 'bench-secret-that-is-as-long-as-a-real-one';
export const CALLBACK = 'http://127.0.0.1:9/callback';
export const RESOURCE = 'https://api.bench.example';
export const RESOURCE_SCOPE = 'bench:read';

export const ROUTES = {
  authorization: '/oauth2/authorize',
  token: '/oauth2/token',
  userinfo: '/oauth2/userinfo',
  jwks: '/.well-known/jwks.json',
  introspection: '/oauth2/introspect',
};

const people = { redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'] };
const open = { ...people, token_endpoint_auth_method: 'none' as const };

/** RFC 7591 metadata. Public clients rotate their refresh token at every use. */
export const CLIENTS = [
  {
    client_id: 'machine',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    token_endpoint_auth_method: 'client_secret_basic' as const,
  },
  { client_id: 'app-es256', ...open, id_token_signed_response_alg: 'ES256' as const },
  { client_id: 'app-rs256', ...open, id_token_signed_response_alg: 'RS256' as const },
];

/** The YAML file of a Latchkey (JSON is YAML). */
export function latchkeyConfig(): string {
  const clients = CLIENTS.map(({ response_types: _none, redirect_uris, ...client }) => ({
    ...client,
    client_name: client.client_id,
    first_party: true,
    ...(redirect_uris.length > 0 ? { redirect_uris } : {}),
    ...(client.token_endpoint_auth_method === 'none' ? {} : { client_secret: { env: 'BENCH_SECRET' } }),
  }));
  const resource = { identifier: RESOURCE, name: 'Bench API', scopes: [RESOURCE_SCOPE], access_token_format: 'jwt' };
  return JSON.stringify({ clients, resources: [resource] });
}

export const basic = `Basic ${Buffer.from(`machine:${SECRET}`).toString('base64')}`;
