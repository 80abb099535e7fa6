/** How long a start takes, and what the process holds when it has nothing to do. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { family, rssMiB } from './process.ts';
import { type Server, startBare, startLatchkey } from './server.ts';
import { median } from './slice.ts';

export interface Start {
  server: string;
  cold: number;
  warm: number;
  idleMiB: number;
}

const IDLE_MS = 1500;

/** Cold: an empty compile cache and an empty store. Warm: the second start over both. */
export async function measureStarts(repetitions = 3): Promise<Start[]> {
  const cache = (folder: string) => ({ NODE_COMPILE_CACHE: join(folder, 'cache') });
  return [
    await repeated(repetitions, 'bare', (folder) => startBare({ env: cache(folder) })),
    await repeated(repetitions, 'embedded', (folder) =>
      startLatchkey({ name: 'embedded', dataDir: folder, env: cache(folder) }),
    ),
  ];
}

async function repeated(times: number, name: string, start: (folder: string) => Promise<Server>): Promise<Start> {
  const [cold, warm, idle]: number[][] = [[], [], []];
  for (let n = 0; n < times; n += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-start-'));
    try {
      const first = await start(folder);
      cold?.push(first.startedInMs);
      await first.stop();
      const second = await start(folder);
      warm?.push(second.startedInMs);
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
      idle?.push(rssMiB(family(second.pid)));
      await second.stop();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return { server: name, cold: median(cold ?? []), warm: median(warm ?? []), idleMiB: median(idle ?? []) };
}
