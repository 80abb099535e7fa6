/** The servers of a run: the bare protocol core, and Latchkey on each kind of storage, with people in it. */
import { startPostgres } from '../test/support/postgres.ts';
import { startRedis } from '../test/support/redis.ts';
import type { Contender } from './matrix.ts';
import { makePeople } from './people.ts';
import { type LatchkeyOptions, startBare, startLatchkey } from './server.ts';
import { CONNECTIONS } from './slice.ts';

export interface Choice {
  /** The bare one and the embedded default only. */
  narrow: boolean;
  /** Where Node leaves a CPU profile of the embedded default. */
  profile?: string | undefined;
  /** Another checkout of this project. */
  against?: string | undefined;
}

export async function startContenders({ narrow, profile, against }: Choice) {
  const contenders: Contender[] = [];
  const ends: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of ends.reverse()) await end();
  };

  async function latchkey(options: LatchkeyOptions): Promise<void> {
    const server = await startLatchkey(options);
    ends.push(server.stop);
    contenders.push({ server, people: await makePeople(server, options.env ?? {}, CONNECTIONS) });
  }

  try {
    const bare = await startBare();
    ends.push(bare.stop);
    contenders.push({ server: bare, people: [{ email: '', password: '' }], bare: true });
    await latchkey({ name: 'embedded', flags: profiling(profile) });
    if (against) await latchkey({ name: 'other checkout', checkout: against });
    if (!narrow) {
      await latchkey({ name: 'two workers', env: { LATCHKEY_WORKERS: '2' } });
      const postgres = await startPostgres({ durable: true });
      ends.push(postgres.stop);
      const redis = await startRedis();
      ends.push(redis.stop);
      const env = { LATCHKEY_DATABASE_URL: await postgres.database(), LATCHKEY_REDIS_URL: redis.url };
      await latchkey({ name: 'PostgreSQL + Redis', env });
    }
    return { contenders, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Node writes the profile into the folder when the server ends. */
function profiling(folder: string | undefined): string[] {
  return folder ? ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${folder}`] : [];
}
