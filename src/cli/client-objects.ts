/** Clients on the command line: which one is meant, who may change it, and how one looks. */
import { AppError } from '../errors.ts';
import type { ClientMetadata, StoredClient } from '../oidc/client-store.ts';
import { facts, minute } from './printing.ts';
import type { Services } from './services.ts';

/** @throws AppError not_found. */
export async function clientOf({ clients }: Services, id: string): Promise<StoredClient> {
  const client = await clients.find(id);
  if (client) return client;
  throw new AppError('not_found', { message: `There is no client ${id}. \`latchkey clients list\` shows them.` });
}

/** A client that the command line may change. @throws AppError not_found, conflict. */
export async function changeableClientOf(services: Services, id: string): Promise<StoredClient> {
  const client = await clientOf(services, id);
  if (client.source !== 'config') return client;
  const message = `The client ${id} is declared in the configuration file (LATCHKEY_CONFIG). Change it there and start again.`;
  throw new AppError('conflict', { message });
}

/** Members of RFC 7591 without the secret, and what is ours about it. */
export function clientObject({ metadata, source, enabled, createdAt, updatedAt }: StoredClient) {
  const { client_secret: _secret, ...members } = metadata;
  const [created_at, updated_at] = [createdAt, updatedAt].map((time) => new Date(time).toISOString());
  return { ...members, enabled, source, created_at, updated_at };
}

export function clientFacts({ metadata, source, enabled, createdAt, updatedAt }: StoredClient): string {
  const { client_secret: secret, ...members } = metadata;
  return facts([
    ...Object.entries(members),
    ['client_secret', secret === undefined ? undefined : '(not shown; `clients rotate-secret` makes a new one)'],
    ['enabled', enabled],
    ['source', source],
    ['created', `${minute(createdAt)} UTC`],
    ['updated', `${minute(updatedAt)} UTC`],
  ]);
}

/** The answer that carries a secret: to whom it is shown only now. */
export function registeredFacts(metadata: ClientMetadata): string {
  const { client_id, client_secret, client_name, redirect_uris } = metadata;
  return facts([
    ['client_id', client_id],
    ['client_secret', client_secret && `${client_secret}   (shown only now)`],
    ['client_name', client_name],
    ['redirect_uris', (redirect_uris as string[] | undefined)?.length ? redirect_uris : undefined],
  ]);
}
