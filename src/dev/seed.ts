/** The client that development mode has ready, so that a Next.js app on port 3001 signs in at once. */

import type { ClientMetadata } from '../oidc/client-store.ts';
import type { Clients } from '../oidc/clients.ts';

export const SEED_CLIENT_ID = 'nextjs-dev';
export const SEED_APP_URL = 'http://localhost:3001';

export async function seedDevelopmentClient(clients: Clients): Promise<ClientMetadata> {
  const known = await clients.find(SEED_CLIENT_ID);
  if (known) return known.metadata;
  return clients.create({
    source: 'seed',
    metadata: {
      client_id: SEED_CLIENT_ID,
      client_name: 'My Next.js app',
      first_party: true,
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [`${SEED_APP_URL}/api/auth/callback/latchkey`],
      post_logout_redirect_uris: [SEED_APP_URL, `${SEED_APP_URL}/`],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  });
}
