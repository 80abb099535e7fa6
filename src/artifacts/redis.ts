/** Artifacts in Redis. Keys that must move together (a value and its consumed mark) are one hash; a grant's values
 * are listed in a set of their own. Times to live are Redis's, so nothing has to be swept. */
import { Redis } from 'ioredis';
import { storageUnavailable } from '../db/database.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { AFTERLIFE_MS, type Artifact, type Artifacts } from './artifacts.ts';
import { storedIdentifier } from './identifier.ts';

const COMMAND_TIMEOUT_MS = 250;
const PREFIX = 'latchkey:';

/** Sets `c` only on a value that exists and has none yet: one winner, in one step of the server. */
const CONSUME = `if redis.call('EXISTS', KEYS[1]) == 1 then return redis.call('HSETNX', KEYS[1], 'c', ARGV[1]) end return 0`;

export interface RedisArtifactsOptions {
  url: string;
  keyring: Keyring;
  onError(error: Error): void;
}

/** Connects in the background; the caller checks with `ping` that the server answers. */
export function createRedisArtifacts(options: RedisArtifactsOptions): Artifacts & { ping(): Promise<void> } {
  const { keyring } = options;
  const redis = new Redis(options.url, {
    enableOfflineQueue: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: 2000,
    maxRetriesPerRequest: 0,
    lazyConnect: true,
    retryStrategy: (attempt) => Math.min(100 * attempt, 2000),
  });
  redis.on('error', options.onError);
  const connected = redis.connect().catch(() => {});

  const keyOf = (kind: string, id: string) => `${PREFIX}${kind}:${storedIdentifier(id)}`;
  const grantKey = (grantId: string) => `${PREFIX}grant:${grantId}`;
  const userCodeKey = (kind: string, userCode: string) =>
    `${PREFIX}user_code:${keyring.mac('payload', `${kind}|user_code|${userCode}`)}`;
  const lifetime = (expiresAt: number) => Math.max(1, expiresAt + AFTERLIFE_MS - Date.now());

  async function guarded<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      throw storageUnavailable(error);
    }
  }

  async function load(key: string): Promise<Artifact | undefined> {
    const [sealed, consumed] = await redis.hmget(key, 'p', 'c');
    if (!sealed) return undefined;
    const payload = keyring.openJson<Artifact['payload']>('payload', sealed, key);
    return consumed ? { payload, consumed: Number(consumed) } : { payload };
  }

  return {
    upsert: (kind, id, payload, expiresAt, keys) =>
      guarded(async () => {
        const key = keyOf(kind, id);
        const ttl = lifetime(expiresAt);
        const batch = redis.multi();
        batch.hset(key, 'p', keyring.sealJson('payload', payload, key)).pexpire(key, ttl);
        if (keys.grantId) batch.sadd(grantKey(keys.grantId), key).pexpire(grantKey(keys.grantId), ttl, 'NX');
        if (keys.grantId) batch.pexpire(grantKey(keys.grantId), ttl, 'GT');
        if (keys.userCode) batch.set(userCodeKey(kind, keys.userCode), key, 'PX', ttl);
        for (const [error] of (await batch.exec()) ?? []) if (error) throw error;
      }),

    insert: (kind, id, _payload, expiresAt) =>
      guarded(async () => (await redis.set(keyOf(kind, id), '1', 'PX', lifetime(expiresAt), 'NX')) === 'OK'),

    find: (kind, id) => guarded(() => load(keyOf(kind, id))),

    findByUserCode: (kind, userCode) =>
      guarded(async () => {
        const key = await redis.get(userCodeKey(kind, userCode));
        return key ? load(key) : undefined;
      }),

    consume: (kind, id) =>
      guarded(async () => (await redis.eval(CONSUME, 1, keyOf(kind, id), Math.floor(Date.now() / 1000))) === 1),

    destroy: (kind, id) =>
      guarded(async () => {
        await redis.del(keyOf(kind, id));
      }),

    revokeByGrantId: (grantId) =>
      guarded(async () => {
        const keys = await redis.smembers(grantKey(grantId));
        for (const key of [...keys, grantKey(grantId)]) await redis.del(key);
      }),

    purge: async () => 0,

    ping: () =>
      guarded(async () => {
        await connected;
        await redis.ping();
      }),

    async close() {
      redis.disconnect();
    },
  };
}
