/** The registered clients: who may be one, with what secret, and who asks from which origin. */
import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Recorder } from '../audit/audit.ts';
import { type EventType, OPERATOR, type Origin, SYSTEM } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../errors.ts';
import { defaultScopes } from './claims.ts';
import { nameOf, needsSecret, newSecret, originsOf, sameMembers } from './client-members.ts';
import type { ClientMetadata, ClientSource, ClientStore, StoredClient } from './client-store.ts';

/** How stale a client may be on an instance that did not change it. */
const STALE_MS = 1000;
/** Of one change that meets others of the same client. */
const ATTEMPTS = 10;

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

interface Change {
  type: EventType;
  by: Origin;
  source: ClientSource;
  enabled: boolean;
  metadata: ClientMetadata;
}

export function createClients({ db, audit, store, validate, resourceScopes }: ClientsOptions) {
  const cache = new LRUCache<string, { client: StoredClient | undefined }>({ max: 1000, ttl: STALE_MS });
  const completed = new WeakMap<StoredClient, ClientMetadata>();
  /** `until` by the monotonic clock. */
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

  const changeExisting = (clientId: string, changeOf: (client: StoredClient) => Change) =>
    change(clientId, (client) => {
      if (!client) throw new AppError('not_found', { message: `There is no client ${clientId}.` });
      return changeOf(client);
    });

  /** False when somebody else has changed the client since it was read as `known`: then nothing is done. */
  async function save({ type, by, ...client }: Change, known?: StoredClient): Promise<boolean> {
    const { metadata, source, enabled } = client;
    await checked(metadata);
    const saved = await db.write(function* () {
      if (!(yield* store.save({ ...client, name: nameOf(metadata) }, known))) return false;
      yield* audit.record({ type, client: metadata.client_id, by, details: { source, enabled } });
      return true;
    });
    forget(metadata.client_id);
    return saved;
  }

  /** Changes the client as it is at that moment: what others change of it meanwhile stays. `undefined` changes nothing. */
  async function change(
    clientId: string,
    changeOf: (known: StoredClient | undefined) => Change | undefined,
  ): Promise<ClientMetadata> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      const known = await store.find(clientId);
      const wanted = changeOf(known);
      if (!wanted) return known?.metadata as ClientMetadata;
      if (await save(wanted, known)) return wanted.metadata;
    }
    throw new AppError('conflict', { message: `The client ${clientId} is being changed by others. Try again.` });
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
      const secret = metadata['client_secret'] ?? (needsSecret(metadata) ? newSecret() : undefined);
      const complete = {
        ...metadata,
        client_id: clientId,
        ...(secret ? { client_secret: secret } : {}),
      } as ClientMetadata;
      return change(clientId, (known) => {
        if (known) throw new AppError('conflict', { message: `There is a client ${clientId} already.` });
        return { type: 'client.created', by, source, enabled, metadata: complete };
      });
    },

    /** Changes the given members; `undefined` removes one. */
    async update(
      clientId: string,
      changes: Record<string, unknown>,
      enabled?: boolean,
      by: Origin = OPERATOR,
    ): Promise<ClientMetadata> {
      return changeExisting(clientId, (client) => {
        const merged = { ...client.metadata, ...changes, client_id: clientId } as ClientMetadata;
        for (const [member, value] of Object.entries(merged)) if (value === undefined) delete merged[member];
        if (needsSecret(merged)) merged.client_secret ??= newSecret();
        else delete merged.client_secret;
        const { source } = client;
        return { type: 'client.updated', by, source, enabled: enabled ?? client.enabled, metadata: merged };
      });
    },

    /** A new secret at once; the old one stops working within a second. */
    async rotateSecret(clientId: string, by: Origin = OPERATOR): Promise<ClientMetadata> {
      return changeExisting(clientId, ({ metadata, source, enabled }) => {
        if (!needsSecret(metadata)) {
          throw new AppError('conflict', {
            message: `The client ${clientId} has no secret: its token_endpoint_auth_method needs none.`,
          });
        }
        const renewed = { ...metadata, client_secret: newSecret() };
        return { type: 'client.secret_rotated', by, source, enabled, metadata: renewed };
      });
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
        await change(metadata.client_id, (known) => {
          if (known && known.source !== source) throw madeElsewhere(known);
          const secret = metadata['client_secret'] ?? known?.metadata.client_secret ?? newSecret();
          const complete = {
            ...metadata,
            ...(secret && needsSecret(metadata) ? { client_secret: secret } : {}),
          } as ClientMetadata;
          if (known?.enabled === enabled && sameMembers(known.metadata, complete)) return undefined;
          const type = known ? 'client.updated' : 'client.created';
          return { type, by: SYSTEM, source, enabled, metadata: complete };
        });
      }
      for (const { metadata } of present) {
        if (!wanted.some((client) => client.client_id === metadata.client_id)) {
          await remove(metadata.client_id, SYSTEM);
        }
      }
    },

    /** Whether some client is registered for this web origin (scheme, host and port). */
    async originAllowed(origin: string): Promise<boolean> {
      if (!origins || origins.until < performance.now()) {
        const known = new Set<string>();
        for (const client of await store.all())
          if (client.enabled) for (const each of originsOf(client.metadata)) known.add(each);
        origins = { until: performance.now() + STALE_MS, known };
      }
      return origins.known.has(origin);
    },
  };
}

function madeElsewhere({ metadata, source }: StoredClient): AppError {
  return new AppError('conflict', {
    message: `The client ${metadata.client_id} was made by ${source}; give it another id or remove that one.`,
  });
}

const madeBy = (source: ClientSource): Origin => (source === 'cli' ? OPERATOR : SYSTEM);

export type Clients = ReturnType<typeof createClients>;
