/**
 * A client of the protocol core is made anew only when its metadata changed. The core looks by itself, too, but hashes
 * the whole metadata at each request to find out, and remembers only a hundred.
 */
import type Provider from 'oidc-provider';
import type { Client } from 'oidc-provider';
import type { ClientMetadata } from './client-store.ts';
import { orUnavailable } from './unavailable.ts';

/** @param metadata gives the same object as long as nothing has changed, and says how stale that may be. */
export function rememberClients(
  core: Provider,
  metadata: (clientId: string) => Promise<ClientMetadata | undefined>,
): void {
  const describe = orUnavailable(metadata);
  const made = new WeakMap<ClientMetadata, Client>();
  const find = core.Client.find.bind(core.Client);

  core.Client.find = async (clientId: string) => {
    const described = typeof clientId === 'string' && clientId !== '' ? await describe(clientId) : undefined;
    // One of the core's own, or none.
    if (!described) return find(clientId);
    let client = made.get(described);
    if (!client) {
      client = await find(clientId);
      if (client) made.set(described, client);
    }
    return client;
  };
}
