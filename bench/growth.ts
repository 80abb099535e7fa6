/** Two stores that differ only in how full they are, measured in turns. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { fill } from './crowd.ts';
import { runMatrix } from './matrix.ts';
import { makePeople, withServices } from './people.ts';
import { type Server, startLatchkey } from './server.ts';
import { CONNECTIONS } from './slice.ts';

interface Side {
  people: number;
  rate: number;
}

export interface Growth {
  operation: string;
  small: Side;
  large: Side;
  /** Large against small. */
  rate: number;
  cpu: number;
}

const OPERATIONS = [
  ...['client credentials, opaque', 'code flow, ES256', 'refresh with rotation', 'introspection', 'userinfo'],
  ...['session list', 'password sign-in'],
];

export async function measureGrowth(
  sizes: [small: number, large: number],
  {
    only: wanted = '',
    ...options
  }: { rounds: number; seconds: number; warmSeconds: number; only?: string | undefined },
): Promise<Growth[]> {
  const servers: Server[] = [];
  try {
    for (const people of sizes) servers.push(await filledServer(people));
    const [small, large] = servers as [Server, Server];
    const growth: Growth[] = [];
    // The small one takes the place of the bare server: ratios are against it.
    const contenders = [
      { server: small, people: await makePeople(small, {}, CONNECTIONS), bare: true as const, all: true },
      { server: large, people: await makePeople(large, {}, CONNECTIONS) },
    ];
    for (const only of OPERATIONS.filter((name) => name.includes(wanted))) {
      const [a, b] = await runMatrix(contenders, { ...options, only });
      if (!a || !b?.ratio) continue;
      growth.push({
        operation: only,
        small: { people: sizes[0], rate: a.slice.rate },
        large: { people: sizes[1], rate: b.slice.rate },
        ...b.ratio,
      });
    }
    return growth;
  } finally {
    for (const server of servers) await server.stop();
  }
}

/** The store is filled while no server has it open, which is several times as fast. */
async function filledServer(people: number): Promise<Server> {
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-growth-'));
  const name = `${people} people`;
  const first = await startLatchkey({ name, dataDir });
  await first.stop();
  await withServices(first, {}, async ({ keyring }) => {
    const begun = performance.now();
    const connection = new Sqlite(join(dataDir, 'latchkey.db'), { timeout: 60_000 });
    try {
      fill(connection, keyring, people, (done) => process.stdout.write(`${done} of ${people} people\n`));
    } finally {
      connection.close();
    }
    process.stdout.write(`${people} people in ${Math.round((performance.now() - begun) / 1000)} s\n`);
  });
  const server = await startLatchkey({ name, dataDir });
  const stop = async () => {
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
  return { ...server, stop };
}
