/** What people read about a client. */
import type { StoredClient } from './client-store.ts';

export function clientWords(client: StoredClient | undefined) {
  if (!client) return undefined;
  const uri = client.metadata['client_uri'];
  return {
    name: client.name,
    uri: typeof uri === 'string' ? uri : null,
    firstParty: client.metadata['first_party'] === true,
  };
}
