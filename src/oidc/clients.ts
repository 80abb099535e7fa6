/** The registered clients: who may be one, with what secret, and who asks from which origin. */
import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Recorder } from '../audit/audit.ts';
import { type EventType, OPERATOR, type Origin, SYSTEM } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../errors.ts';
import { defaultScopes } from './claims.ts';
import type { ClientMetadata, ClientSource, ClientStore, StoredClient } from './client-store.ts';

/** How stale a client may be on an instance that did not change it. */
const STALE_MS = 1000;
const PUBLIC_METHODS = new Set(['none', 'private_key_jwt']);

export interface ClientsOptions {
  db: Database;
  audit: Pick<Recorder, 'record'>;
  store: ClientStore;
  /** Checks metadata by the protocol core's own rules. @throws with `error_description` when they are not met. */
  validate(metadata: ClientMetadata): Promise<void>;
  /** Scopes of the declared resources. */
  resourceScopes: string[];
}

export interface NewClient {
  metadata: Record<string, unknown>;
  source: ClientSource;
  enabled?: boolean;
  by?: Origin;
}

type Change = { type: EventType; by: Origin; source: ClientSource; enabled: boolean };

export function createClients({ db, audit, store, validate, resourceScopes }: ClientsOptions) {
  const cache = new LRUCache<string, { client: StoredClient | undefined }>({ max: 1000, ttl: STALE_MS });
  const completed = new WeakMap<StoredClient, ClientMetadata>();
  let origins: { until: number; known: Set<string> } | undefined;

  function forget(clientId: string): void {
    cache.delete(clientId);
    origins = undefined;
  }

  async function find(clientId: string): Promise<StoredClient | undefined> {
    const cached = cache.get(clientId);
    if (cached) return cached.client;
    const client = await store.find(clientId);
    cache.set(clientId, { client });
    return client;
  }

  async function existing(clientId: string): Promise<StoredClient> {
    const client = await store.find(clientId);
    if (!client) throw new AppError('not_found', { message: `There is no client ${clientId}.` });
    return client;
  }

  async function save(metadata: ClientMetadata, { type, by, source, enabled }: Change): Promise<ClientMetadata> {
    await checked(metadata);
    const client = metadata.client_id;
    await db.write(function* () {
      yield* store.save({ metadata, name: nameOf(metadata), source, enabled });
      yield* audit.record({ type, client, by, details: { source, enabled } });
    });
    forget(metadata.client_id);
    return metadata;
  }

  async function remove(clientId: string, by: Origin): Promise<boolean> {
    const removed = await db.write(function* () {
      if (!(yield* store.remove(clientId))) return false;
      yield* audit.record({ type: 'client.removed', client: clientId, by });
      return true;
    });
    forget(clientId);
    return removed;
  }

  async function checked(metadata: ClientMetadata): Promise<void> {
    // The subject of a client's own token is its id, which must never look like a person's (P24).
    if (metadata.client_id.startsWith('usr_'))
      throw new AppError('invalid_request', { message: 'A client_id that begins with usr_ would look like a person.' });
    try {
      await validate(metadata);
    } catch (error) {
      const detail = (error as { error_description?: unknown }).error_description;
      if (typeof detail !== 'string') throw error;
      throw new AppError('invalid_request', {
        message: `The client's metadata is not valid: ${detail}.`,
        cause: error,
      });
    }
  }

  return {
    find,

    /** What the protocol core reads: metadata of an enabled client, the same object as long as it is cached. */
    async metadata(clientId: string): Promise<ClientMetadata | undefined> {
      const client = await find(clientId);
      if (!client?.enabled) return undefined;
      let complete = completed.get(client);
      if (!complete) {
        const { metadata } = client;
        complete = { scope: defaultScopes(metadata['first_party'] === true, resourceScopes), ...metadata };
        completed.set(client, complete);
      }
      return complete;
    },

    /** Registers a client. The answer carries the secret, which is shown this once.
     * @throws AppError conflict when the id is taken, invalid_request when the metadata is not valid (RFC 7591). */
    async create({ metadata, source, enabled = true, by = madeBy(source) }: NewClient): Promise<ClientMetadata> {
      const clientId = (metadata['client_id'] as string | undefined) ?? randomBytes(12).toString('base64url');
      if (await store.find(clientId)) {
        throw new AppError('conflict', { message: `There is a client ${clientId} already.` });
      }
      const secret = metadata['client_secret'] ?? (needsSecret(metadata) ? newSecret() : undefined);
      const complete = { ...metadata, client_id: clientId, ...(secret ? { client_secret: secret } : {}) };
      return save(complete as ClientMetadata, { type: 'client.created', by, source, enabled });
    },

    /** Changes the given members; `undefined` removes one. */
    async update(
      clientId: string,
      changes: Record<string, unknown>,
      enabled?: boolean,
      by: Origin = OPERATOR,
    ): Promise<ClientMetadata> {
      const client = await existing(clientId);
      const merged = { ...client.metadata, ...changes, client_id: clientId } as ClientMetadata;
      for (const [member, value] of Object.entries(merged)) if (value === undefined) delete merged[member];
      if (needsSecret(merged)) merged.client_secret ??= newSecret();
      else delete merged.client_secret;
      const { source } = client;
      return save(merged, { type: 'client.updated', by, source, enabled: enabled ?? client.enabled });
    },

    /** A new secret at once; the old one stops working within a second. */
    async rotateSecret(clientId: string, by: Origin = OPERATOR): Promise<ClientMetadata> {
      const client = await existing(clientId);
      if (!needsSecret(client.metadata)) {
        throw new AppError('conflict', {
          message: `The client ${clientId} has no secret: its token_endpoint_auth_method needs none.`,
        });
      }
      const { source, enabled } = client;
      const renewed = { ...client.metadata, client_secret: newSecret() };
      return save(renewed, { type: 'client.secret_rotated', by, source, enabled });
    },

    async remove(clientId: string, by: Origin = OPERATOR): Promise<void> {
      if (!(await remove(clientId, by)))
        throw new AppError('not_found', { message: `There is no client ${clientId}.` });
    },

    list: store.list,

    /** Makes the clients of one source exactly those given: idempotent, secrets are kept where none is given. */
    async apply(
      source: ClientSource,
      wanted: Array<Record<string, unknown> & { client_id: string; enabled?: boolean }>,
    ) {
      const present = (await store.all()).filter((client) => client.source === source);
      for (const { enabled = true, ...metadata } of wanted) {
        const known = await store.find(metadata.client_id);
        if (known && known.source !== source) {
          throw new AppError('conflict', {
            message: `The client ${metadata.client_id} was made by ${known.source}; give it another id or remove that one.`,
          });
        }
        const secret =
          metadata['client_secret'] ??
          known?.metadata.client_secret ??
          (needsSecret(metadata) ? newSecret() : undefined);
        const complete = {
          ...metadata,
          ...(secret && needsSecret(metadata) ? { client_secret: secret } : {}),
        } as ClientMetadata;
        if (!known || known.enabled !== enabled || !sameMembers(known.metadata, complete)) {
          const type = known ? 'client.updated' : 'client.created';
          await save(complete, { type, by: SYSTEM, source, enabled });
        }
      }
      for (const { metadata } of present) {
        if (!wanted.some((client) => client.client_id === metadata.client_id)) {
          await remove(metadata.client_id, SYSTEM);
        }
      }
    },

    /** Whether some client is registered for this web origin (scheme, host and port). */
    async originAllowed(origin: string): Promise<boolean> {
      if (!origins || origins.until < Date.now()) {
        const known = new Set<string>();
        for (const client of await store.all())
          if (client.enabled) for (const each of originsOf(client.metadata)) known.add(each);
        origins = { until: Date.now() + STALE_MS, known };
      }
      return origins.known.has(origin);
    },
  };
}

const madeBy = (source: ClientSource): Origin => (source === 'cli' ? OPERATOR : SYSTEM);

export type Clients = ReturnType<typeof createClients>;

/** Web origins that a client may call from: those of its redirect URIs (RFC 6454). */
export function originsOf(metadata: Record<string, unknown>): string[] {
  const uris = Array.isArray(metadata['redirect_uris']) ? (metadata['redirect_uris'] as string[]) : [];
  return uris.flatMap((uri) => {
    const origin = URL.parse(uri)?.origin;
    return origin && origin !== 'null' ? [origin] : [];
  });
}

export function nameOf(metadata: Record<string, unknown>): string {
  const name = metadata['client_name'];
  return typeof name === 'string' && name !== '' ? name : String(metadata['client_id']);
}

function needsSecret(metadata: Record<string, unknown>): boolean {
  return !PUBLIC_METHODS.has((metadata['token_endpoint_auth_method'] as string | undefined) ?? 'client_secret_basic');
}

/** 256 random bits. */
function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function sameMembers(left: object, right: object): boolean {
  const sorted = (value: object) => JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sorted(left) === sorted(right);
}
