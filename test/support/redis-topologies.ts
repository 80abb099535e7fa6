/** Several real Redis servers: a master with a replica behind three sentinels, and a Cluster of three masters with a
 * replica each. Gone with the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { answering, command, startRedis, type TestRedis } from './redis.ts';

export interface TestTopology {
  url: string;
  servers: TestRedis[];
  stop(): Promise<void>;
}

export const GROUP = 'latchkey';
const REPLICA = ['--replica-serve-stale-data', 'yes', '--repl-ping-replica-period', '1'];

export async function startSentinels(): Promise<TestTopology> {
  const master = await startRedis({ settings: REPLICA });
  const replica = await startRedis({ settings: [...REPLICA, '--replicaof', '127.0.0.1', String(master.port)] });
  await until(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'));
  const sentinels = await Promise.all([0, 1, 2].map(() => startSentinel(master.port)));
  await until(async () => {
    const seen = await Promise.all(sentinels.map(({ port }) => command(port, ['SENTINEL', 'CKQUORUM', GROUP])));
    const replicas = await Promise.all(sentinels.map(({ port }) => command(port, ['SENTINEL', 'REPLICAS', GROUP])));
    return seen.every((answer) => /^\+OK 3 /.test(answer)) && replicas.every((answer) => !answer.startsWith('*0'));
  });
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${GROUP}/0`,
    servers: [master, replica],
    async stop() {
      await Promise.all([...sentinels, master, replica].map((server) => server.stop()));
    },
  };
}

async function startSentinel(masterPort: number) {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-sentinel-'));
  const file = join(dir, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${dir}`,
    `sentinel monitor ${GROUP} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${GROUP} 1000`,
    // A vote without a winner is repeated after twice this time.
    `sentinel failover-timeout ${GROUP} 2000`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const server = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
  const end = () => server.kill('SIGKILL');
  process.once('exit', end);
  await answering(port);
  return {
    port,
    async stop() {
      process.off('exit', end);
      const ended = once(server, 'exit');
      end();
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** `servers`: three masters, then the replica of each. */
export async function startCluster(): Promise<TestTopology> {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', ...REPLICA];
  const servers = await Promise.all(Array.from({ length: 6 }, () => startRedis({ settings })));
  const masters = servers.slice(0, 3);
  const first = masters[0] as TestRedis;
  const share = Math.ceil(16_384 / 3);
  await Promise.all(
    masters.map((server, index) =>
      server.command(
        'CLUSTER',
        'ADDSLOTSRANGE',
        String(index * share),
        String(Math.min((index + 1) * share, 16_384) - 1),
      ),
    ),
  );
  await Promise.all(servers.map((server, index) => server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))));
  for (const server of servers.slice(1)) await first.command('CLUSTER', 'MEET', '127.0.0.1', String(server.port));
  const known = (server: TestRedis, text: string) =>
    server.command('CLUSTER', 'INFO').then((answer) => answer.includes(text));
  await until(async () =>
    (await Promise.all(servers.map((each) => known(each, 'cluster_known_nodes:6')))).every(Boolean),
  );
  const ids = await Promise.all(masters.map(async (each) => (await each.command('CLUSTER', 'MYID')).split('\r\n')[1]));
  for (const [index, id] of ids.entries()) {
    const replica = servers[index + 3] as TestRedis;
    await until(async () => (await replica.command('CLUSTER', 'REPLICATE', id as string)).startsWith('+OK'));
  }
  await until(async () => (await Promise.all(servers.map((each) => known(each, 'cluster_state:ok')))).every(Boolean));
  await until(async () => {
    const links = await Promise.all(servers.slice(3).map((each) => each.command('INFO', 'replication')));
    return links.every((answer) => answer.includes('master_link_status:up'));
  });
  return {
    url: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    servers,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

export async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await condition().catch(() => false)); waited += 50) {
    if (waited > 20_000) throw new Error('the servers did not find each other within twenty seconds');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
