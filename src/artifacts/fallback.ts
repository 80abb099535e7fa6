/**
 * Artifacts on Redis with SQL behind it. Values go to Redis, or to SQL while Redis does not take them; each look-up
 * asks both. Every "no" (consumed, ended, replayed, grant ended) is a row in SQL and is read with each look-up, so
 * that what Redis forgets, repeats or brings back can only deny (docs/decisions, "Redis holds only what opens").
 */
import { LRUCache } from 'lru-cache';
import { storageUnavailable } from '../db/database.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { type Artifact, type Artifacts, NO_LONGER_MS } from './artifacts.ts';
import type { Known, Ledger } from './ledger.ts';
import type { RedisValues, StoredValue } from './redis.ts';
import { artifactRow, openRow, userCodeHash } from './sql.ts';
import type { Watch } from './watch.ts';

/** Redis never holds a value for longer, so that a mark of which the value's end is not known can be long enough. */
const LONGEST_MS = 86_400_000;
/** For so long after Redis went away nobody is told "no" for that reason, only "not now": it may be back at once. */
const DOUBT_MS = 1000;
/** The same for a Cluster that is not whole. Its replica takes over by then: twice what `cluster-node-timeout` is at first. */
const TAKE_OVER_MS = 30_000;
/** Values of which this process remembers until when they live; of one that is forgotten Redis is asked again. */
const SEEN = 1000;

export interface FallbackOptions {
  sql: Artifacts;
  ledger: Ledger;
  values: RedisValues;
  watch: Watch;
  keyring: Keyring;
}

/** What Redis says of a value; `doubt` when it did not answer and may well have it. */
type Said = { value?: StoredValue | undefined; doubt?: unknown };

export function createFallback({ sql, ledger, values, watch, keyring }: FallbackOptions): Artifacts {
  const { reads, writes } = watch;
  const grantOf = (payload: Artifact['payload'] | undefined) => payload?.['grantId'] as string | undefined;
  /** By row, in milliseconds since 1970: who claims a value has loaded it a moment ago. */
  const seen = new LRUCache<string, number>({ max: SEEN });

  /** Never rejects: without an answer the caller decides what SQL alone is good for. */
  async function ask<Result>(question: () => Promise<Result>): Promise<{ answer?: Result; doubt?: unknown }> {
    if (reads.closed()) {
      try {
        const answer = await question();
        reads.answered();
        return { answer };
      } catch (error) {
        // One master of a Cluster that is away says nothing of the others.
        if (values.partial) return writes.openFor() < TAKE_OVER_MS ? { doubt: error } : {};
        reads.failed(error);
        if (reads.closed()) return { doubt: error };
      }
    }
    return reads.openFor() < DOUBT_MS ? { doubt: new Error('Redis does not answer') } : {};
  }

  async function inRedis(row: string): Promise<Said> {
    const { answer, doubt } = await ask(() => values.get(row));
    return { value: answer, doubt };
  }

  async function find(row: string): Promise<{ artifact: Artifact; known: Known } | undefined> {
    const { value, doubt } = await inRedis(row);
    if (value) seen.set(row, value.expiresAt);
    let known = await ledger.look(row, grantOf(value?.payload));
    const mark = known.row;
    if (mark?.ended_at || known.grantEnded) return undefined;
    const inSql = openRow(keyring, mark);
    if (inSql && !(value && value.writtenAt > (mark?.written_at ?? 0))) {
      const grantId = grantOf(inSql.payload);
      if (grantId !== undefined && grantId !== grantOf(value?.payload)) known = await ledger.look(row, grantId);
      return known.grantEnded ? undefined : { artifact: inSql, known };
    }
    if (!value) {
      if (doubt !== undefined && !mark) throw storageUnavailable(doubt);
      return undefined;
    }
    const consumedAt = mark?.consumed_at;
    const { payload } = value;
    return { artifact: consumedAt ? { payload, consumedAt } : { payload }, known };
  }

  /** Until when a mark has to stay so that no copy of the value outlives it. */
  const until = (value: Pick<StoredValue, 'expiresAt'> | undefined) =>
    (value?.expiresAt ?? Date.now() + LONGEST_MS) + NO_LONGER_MS;

  return {
    async upsert(kind, id, payload, expiresAt, keys) {
      const now = Date.now();
      if (expiresAt - now >= LONGEST_MS) return sql.upsert(kind, id, payload, expiresAt, keys);
      const { userCode } = keys;
      if (writes.closed()) {
        try {
          const row = artifactRow(kind, id);
          const code = userCode === undefined ? undefined : { kind, code: userCode };
          await values.put(row, { payload, expiresAt, writtenAt: now }, code);
          writes.answered();
          return;
        } catch (error) {
          writes.failed(error);
        }
      }
      // Without its grant's name: the row has to outlive the grant, since an older copy in Redis may.
      await sql.upsert(kind, id, payload, expiresAt, { userCode });
    },

    // A replay id that is forgotten opens a door.
    insert: sql.insert,

    find: async (kind, id) => (await find(artifactRow(kind, id)))?.artifact,

    async findLiving(kind, id) {
      const found = await find(artifactRow(kind, id));
      if (!found) return undefined;
      const { artifact, known } = found;
      if (grantOf(artifact.payload) === undefined) return artifact;
      return known.grant && { ...artifact, grant: { id: known.grant.id, payload: known.grant.payload } };
    },

    async findByUserCode(kind, userCode) {
      const { answer, doubt } = await ask(() => values.rowOfUserCode(kind, userCode));
      const row = answer ?? (await ledger.rowOfUserCode(userCodeHash(keyring, kind, userCode)));
      if (row !== undefined) return (await find(row))?.artifact;
      if (doubt !== undefined) throw storageUnavailable(doubt);
      return undefined;
    },

    async consume(kind, id) {
      const row = artifactRow(kind, id);
      const { value, doubt } = await inRedis(row);
      // Not in Redis, so in SQL or nowhere. In doubt the mark alone decides: the caller has loaded the value.
      if (!value && doubt === undefined) return sql.consume(kind, id);
      return ledger.consume(kind, row, until(value));
    },

    async claim(kind, id, lost) {
      const row = artifactRow(kind, id);
      const expiresAt = seen.get(row);
      if (expiresAt !== undefined) return ledger.claim(kind, row, until({ expiresAt }), lost);
      const { value, doubt } = await inRedis(row);
      if (!value && doubt === undefined) return sql.claim?.(kind, id, lost);
      await ledger.claim(kind, row, until(value), lost);
    },

    async destroy(kind, id) {
      const row = artifactRow(kind, id);
      const { value } = await inRedis(row);
      await ledger.end(kind, row, until(value));
      if (value && writes.closed()) await values.drop(row).catch(writes.failed);
    },

    async revokeByGrantId(grantId) {
      await ledger.endGrant(grantId, until(undefined));
      await sql.revokeByGrantId(grantId);
    },

    purge: sql.purge,
    volatile: {
      state: watch.state,
      away: () => !reads.closed(),
      async count(key, durationMs, now) {
        if (!writes.closed()) return undefined;
        try {
          const counts = await values.count(key, durationMs, now);
          writes.answered();
          return counts;
        } catch (error) {
          writes.failed(error);
          return undefined;
        }
      },
    },

    async close() {
      watch.stop();
      values.close();
      await sql.close();
    },
  };
}
