/**
 * Values in Redis: what opens a door and may be forgotten, never what closes one. A value is one string key that is
 * written whole, so nothing has to move together and any key may be on any node of a Cluster. Times to live are
 * Redis's, and the time of expiry is inside the value, so a wrong clock there prolongs nothing.
 */
import type { Keyring } from '../keyring/keyring.ts';
import { AFTERLIFE_MS } from './artifacts.ts';
import { inTime, openRedis, type RedisTarget } from './redis-client.ts';

const PREFIX = 'latchkey:value:';
const POINTER = 'latchkey:user_code:';
const COUNTER = 'latchkey:hits:';
/** A counter never stays without an end. */
const COUNT = `local hits = redis.call('INCR', KEYS[1])
if hits == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {hits, tonumber(redis.call('GET', KEYS[2]) or '0')}`;
const PROBE = 'latchkey:probe';

export interface StoredValue {
  payload: Record<string, unknown>;
  /** Milliseconds since 1970, as `writtenAt`. */
  expiresAt: number;
  writtenAt: number;
}

export interface RedisOptions {
  target: RedisTarget;
  keyring: Keyring;
  onReady(): void;
  /** Of the connection. */
  onError(error: Error): void;
  /** A value that is there and can't be opened. */
  onUnopened(error: Error): void;
}

/** `row` is `kind:stored identifier`, as in SQL. Every function throws what the client throws, within 250 ms. */
export function createRedisValues({ target, keyring, onReady, onError, onUnopened }: RedisOptions) {
  const link = openRedis(target, { onReady, onError });
  const { client } = link;
  const lifetime = (expiresAt: number) => Math.max(1, expiresAt + AFTERLIFE_MS - Date.now());
  const pointerKey = (kind: string, userCode: string) =>
    POINTER + keyring.mac('payload', `${kind}|user_code|${userCode}`);
  const context = (row: string, head: string) => `redis|${row}|${head}`;

  /** What can't be opened was not written by us: it is as if it were not there. */
  function opened(row: string, text: string | null): StoredValue | undefined {
    const [written, expires, sealed] = text?.split('|') ?? [];
    if (!written || !expires || !sealed) return undefined;
    const value = { writtenAt: Number(written), expiresAt: Number(expires) };
    if (!(value.expiresAt + AFTERLIFE_MS > Date.now())) return undefined;
    try {
      const payload = keyring.openJson<StoredValue['payload']>(
        'payload',
        sealed,
        context(row, `${written}|${expires}`),
      );
      return { ...value, payload };
    } catch (error) {
      onUnopened(error as Error);
      return undefined;
    }
  }

  return {
    /** A Cluster that lost one master still answers for the others. */
    partial: target.kind === 'cluster',

    /** The pointer is written before what it points at is of use, so that half of it only denies. */
    async put(row: string, { payload, expiresAt, writtenAt }: StoredValue, userCode?: { kind: string; code: string }) {
      const head = `${writtenAt}|${expiresAt}`;
      const sealed = keyring.sealJson('payload', payload, context(row, head));
      const ttl = lifetime(expiresAt);
      if (userCode) await inTime(client.set(pointerKey(userCode.kind, userCode.code), row, 'PX', ttl));
      await inTime(client.set(PREFIX + row, `${head}|${sealed}`, 'PX', ttl));
    },

    get: async (row: string) => opened(row, await inTime(client.get(PREFIX + row))),

    async drop(row: string): Promise<void> {
      await inTime(client.del(PREFIX + row));
    },

    rowOfUserCode: async (kind: string, code: string) =>
      (await inTime(client.get(pointerKey(kind, code)))) ?? undefined,

    /** One hit in a window, and the hits of the window before; both are on one node of a Cluster. */
    async count(key: string, durationMs: number, now: number): Promise<{ current: number; before: number }> {
      const index = Math.floor(now / durationMs);
      const keyOf = (window: number) => `${COUNTER}{${key}}|${window}`;
      const answer = client.eval(COUNT, 2, keyOf(index), keyOf(index - 1), 2 * durationMs);
      const [current, before] = (await inTime(answer)) as [number, number];
      return { current, before };
    },

    /** Rejects when no server answers a read. */
    async probeReading(): Promise<void> {
      if (target.kind === 'cluster') await Promise.any(link.masters().map((master) => inTime(master.ping())));
      else await inTime(client.get(PROBE));
    },

    /** Rejects unless every master answers and a write is taken (not read-only, not out of memory). */
    async probeWriting(): Promise<void> {
      if (target.kind === 'cluster') await Promise.all(link.masters().map((master) => inTime(master.ping())));
      await inTime(client.set(PROBE, '1', 'PX', 60_000));
    },

    /** The `maxmemory-policy` of the servers that is not `noeviction`, if any. */
    async evictionPolicy(): Promise<string | undefined> {
      const answers = await Promise.all(link.masters().map((master) => inTime(master.info('memory'))));
      return answers
        .map((text) => /maxmemory_policy:(\S+)/.exec(text)?.[1])
        .find((policy) => policy !== undefined && policy !== 'noeviction');
    },

    close: link.close,
  };
}

export type RedisValues = ReturnType<typeof createRedisValues>;
