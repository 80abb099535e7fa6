/** Redis goes away in each of its ways, for a while, under sign-ins and refreshes. Each way in detail: redis-faults.test.ts. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { TestApp } from '../support/app.ts';
import { CALLBACK, PASSWORD, type SignedIn, signedIn, token } from '../support/flow.ts';
import { inside } from '../support/inside.ts';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Proof, pause, quantile, until } from './proof.ts';

interface Fault {
  impose(redis: TestRedis): unknown;
  heal(redis: TestRedis): unknown;
  /** What probes are told meanwhile; an emptied Redis is as good as before. */
  degraded: boolean;
}

const FAULTS: Record<string, Fault> = {
  killed: { impose: (redis) => redis.kill(), heal: (redis) => redis.restart(), degraded: true },
  frozen: { impose: (redis) => redis.freeze(), heal: (redis) => redis.thaw(), degraded: true },
  'read-only': {
    impose: (redis) => redis.command('REPLICAOF', '127.0.0.1', '1'),
    heal: (redis) => redis.command('REPLICAOF', 'NO', 'ONE'),
    degraded: true,
  },
  full: {
    impose: (redis) => redis.command('CONFIG', 'SET', 'maxmemory', '1'),
    heal: (redis) => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
    degraded: true,
  },
  emptied: { impose: (redis) => redis.command('FLUSHALL'), heal: () => {}, degraded: false },
  evicting: {
    async impose(redis) {
      await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
      // Nearly nothing fits: whatever is written throws something out.
      await redis.command('CONFIG', 'SET', 'maxmemory', '2mb');
    },
    async heal(redis) {
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      // And with each new connection.
      await redis.command('CLIENT', 'KILL', 'TYPE', 'normal');
    },
    degraded: true,
  },
};
/** A refresh and a sign-in that begin later than this after the fault go on as if nothing had happened. */
const NOTICED_MS = 1200;
/** The slowest of a hundred takes so much longer than before the fault, at most: a busy machine slows both alike. */
const SLOWER_MS = 400;

const gone: Proof<{ seconds: number; rounds: number }> = {
  fault: 'Redis killed, frozen, read-only, full, emptied, evicting',
  promise: 'after a second no sign-in and no refresh fails, nothing revoked comes back, up within 5 s of its return',
  few: { seconds: 3, rounds: 1 },
  full: { seconds: 20, rounds: 1 },

  async run(t, { seconds, rounds }) {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const issuer = await startIssuer(t, { env: { LATCHKEY_REDIS_URL: redis.url } });
    const users = await newUsers(issuer);
    const usual: number[] = [];
    const took: number[] = [];
    const back: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, fault] of Object.entries(FAULTS)) {
        const guilty = (error: Error) => {
          error.message = `${name}: ${error.message}`;
          throw error;
        };
        const times = await endured(t, issuer, redis, fault, users, seconds).catch(guilty);
        usual.push(...times.before);
        took.push(...times.after);
        await fault.heal(redis);
        back.push(await until(`${name}: up again`, async () => (await redisPart(issuer)) === 'up', 5000));
        await signedIn(issuer as unknown as TestApp, { person: users.comes, client: users.client });
      }
    }
    const [before, after] = [usual, took].map((times) => Math.round(quantile(times, 0.99))) as [number, number];
    assert.ok(after <= before + SLOWER_MS, `p99 ${after} ms after the first second, ${before} ms before the fault`);
    return `${took.length} sign-ins and refreshes after the first second, 0 failed, p99 ${after} ms (${before} ms before the fault); up again after ${Math.round(Math.max(...back))} ms at most`;
  },
};

/** @returns the milliseconds of each request that was over before the fault, and of each that began after it was noticed. */
async function endured(
  t: TestContext,
  issuer: Issuer,
  redis: TestRedis,
  fault: Fault,
  users: Users,
  seconds: number,
): Promise<{ before: number[]; after: number[] }> {
  const app = issuer as unknown as TestApp;
  const { client, stays, comes } = users;
  const staying = () => signedIn(app, { person: stays, client });
  const [who, ended] = [await staying(), await staying()];
  await revoke(issuer, ended);
  const refresh = { grant_type: 'refresh_token', refresh_token: who.tokens.refresh_token as string };
  const dead = { grant_type: 'refresh_token', refresh_token: ended.tokens.refresh_token as string };
  let began = Number.POSITIVE_INFINITY;
  let over = false;
  t.after(() => {
    over = true;
  });
  const [before, after]: [number[], number[]] = [[], []];

  async function repeat(what: string, work: () => Promise<unknown>): Promise<void> {
    while (!over) {
      const started = performance.now();
      const failure = await work().then(
        () => undefined,
        (error: Error) => error,
      );
      const answered = performance.now();
      const untouched = answered < began;
      if (untouched || started - began > NOTICED_MS) {
        const when = untouched ? 'before the fault' : `${Math.round(started - began)} ms after it began`;
        if (failure) throw new Error(`${what}, ${when}: ${failure.message}`);
        (untouched ? before : after).push(answered - started);
      }
      await pause(20);
    }
  }
  const loads = Promise.all([
    repeat('a refresh', async () => assert.equal((await token(app, client, refresh)).status, 200)),
    repeat('a sign-in', () => signedIn(app, { person: comes, client })),
    repeat('a revoked token', async () => assert.equal((await token(app, client, dead)).status, 400)),
  ]);
  try {
    await Promise.race([pause((seconds * 1000) / 3), loads]);
    began = performance.now();
    await fault.impose(redis);
    await Promise.race([pause(seconds * 1000), loads]);
    // How a server is set is looked at every five seconds.
    const state = fault.degraded ? 'degraded' : 'up';
    await until(`it is said to be ${state}`, async () => (await redisPart(issuer)) === state, 8000);
  } finally {
    over = true;
  }
  await loads;
  return { before, after };
}

type Person = SignedIn['person'];

/**
 * Who signs in again and again is another person than whose tokens are looked at: at the fifty-first sign-in of somebody
 * the longest unused session ends, and its refresh token with it (S08).
 */
interface Users {
  client: SignedIn['client'];
  stays: Person;
  comes: Person;
}

function newUsers(issuer: Issuer): Promise<Users> {
  return inside(issuer, async ({ accounts, clients }) => {
    async function newPerson(email: string, name: string): Promise<Person> {
      const person = { email, name, password: PASSWORD };
      const { id } = await accounts.create({ ...person, verified: true });
      return { ...person, id };
    }
    const metadata = { client_name: 'App', first_party: true, redirect_uris: [CALLBACK] };
    const client = (await clients.create({ source: 'cli', metadata })) as unknown as SignedIn['client'];
    const stays = await newPerson('ada@example.com', 'Ada');
    return { client, stays, comes: await newPerson('grace@example.com', 'Grace') };
  });
}

async function revoke(issuer: Issuer, { client, tokens }: SignedIn): Promise<void> {
  const authorization = `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}`;
  const body = new URLSearchParams({ token: tokens.refresh_token as string });
  const answer = await fetch(`${issuer.url}/oauth2/revoke`, { method: 'POST', headers: { authorization }, body });
  assert.equal(answer.status, 200);
}

async function redisPart(issuer: Issuer): Promise<string> {
  const answer = await fetch(`${issuer.url}/readyz`);
  assert.equal(answer.status, 200, 'a missing Redis never makes an instance unready');
  return ((await answer.json()) as { parts: { redis: string } }).parts.redis;
}

export const proofs = [gone];
