/** The servers of a run: the bare protocol core, and Latchkey on each kind of storage, with people in it. */
import { randomBytes } from 'node:crypto';
import { startPostgres } from '../test/support/postgres.ts';
import { startRedis } from '../test/support/redis.ts';
import { INSPECTED } from './inspector.ts';
import type { Contender } from './matrix.ts';
import { makePeople } from './people.ts';
import { type LatchkeyOptions, startBare, startLatchkey } from './server.ts';
import { CONNECTIONS } from './slice.ts';

export interface Choice {
  /** The bare one and the embedded default only. */
  narrow: boolean;
  /** With an inspector each, for profiles. */
  inspected?: boolean;
  /** Another checkout of this project. */
  against?: string | undefined;
}

export async function startContenders({ narrow, inspected = false, against }: Choice) {
  const contenders: Contender[] = [];
  const ends: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of ends.reverse()) await end();
  };

  const flags = inspected ? INSPECTED : [];

  async function latchkey(options: LatchkeyOptions, instances = 1): Promise<void> {
    const server = await startLatchkey({ ...options, flags });
    ends.push(server.stop);
    if (instances > 1) {
      const env = { ...options.env, LATCHKEY_ISSUER: server.origin };
      const beside = await startLatchkey({ ...options, env, flags });
      ends.push(beside.stop);
      server.beside = beside;
    }
    contenders.push({ server, people: await makePeople(server, options.env ?? {}, CONNECTIONS) });
  }

  try {
    const bare = await startBare({ flags });
    ends.push(bare.stop);
    contenders.push({ server: bare, people: [{ email: '', password: '' }], bare: true });
    await latchkey({ name: 'embedded' });
    if (against) await latchkey({ name: 'other checkout', checkout: against });
    if (!narrow) {
      if (!inspected) await latchkey({ name: 'two workers', env: { LATCHKEY_WORKERS: '2' } });
      const postgres = await startPostgres({ durable: true });
      ends.push(postgres.stop);
      const stores = async () => {
        const redis = await startRedis();
        ends.push(redis.stop);
        return { LATCHKEY_DATABASE_URL: await postgres.database(), LATCHKEY_REDIS_URL: redis.url };
      };
      await latchkey({ name: 'PostgreSQL + Redis', env: await stores() });
      if (!inspected) {
        const env = { ...(await stores()), LATCHKEY_SECRET_KEY: randomBytes(32).toString('base64url') };
        await latchkey({ name: 'PostgreSQL + Redis, two instances', env }, 2);
      }
    }
    return { contenders, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
