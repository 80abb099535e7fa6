/** Redis behind a Sentinel, and as a Cluster, where every connection is TLS: small ones, without replicas. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { answering, command, type RedisTls, startRedis, type TestRedis, tlsFiles } from './redis.ts';
import { GROUP, type TestTopology, until } from './redis-topologies.ts';

/** A master and one sentinel, each with a certificate of its own. */
export async function startTlsSentinel(tls: { sentinel: RedisTls; master: RedisTls }): Promise<TestTopology> {
  const master = await startRedis({ tls: tls.master, settings: ['--tls-replication', 'yes'] });
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-sentinel-'));
  const file = join(dir, 'sentinel.conf');
  writeFileSync(file, `dir ${dir}\nsentinel monitor ${GROUP} 127.0.0.1 ${master.port} 1\n`);
  const settings = ['--port', '0', '--tls-port', String(port), '--bind', '127.0.0.1', '--tls-replication', 'yes'];
  const sentinel = spawn('redis-server', [file, '--sentinel', ...settings, ...tlsFiles(dir, tls.sentinel)], {
    stdio: 'ignore',
  });
  const end = () => sentinel.kill('SIGKILL');
  process.once('exit', end);
  await answering(port);
  await until(async () => (await command(port, ['SENTINEL', 'CKQUORUM', GROUP], true)).startsWith('+OK 1 '));
  return {
    url: `rediss+sentinel://127.0.0.1:${port}/${GROUP}/0`,
    servers: [master],
    async stop() {
      process.off('exit', end);
      const ended = once(sentinel, 'exit');
      end();
      await Promise.all([ended, master.stop()]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A master for each certificate; the address names only the first. */
export async function startTlsCluster(certificates: RedisTls[]): Promise<TestTopology> {
  const settings = ['--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--tls-replication', 'yes'];
  const servers = await Promise.all(certificates.map((tls) => startRedis({ settings, tls })));
  const share = Math.ceil(16_384 / servers.length);
  const first = servers[0] as TestRedis;
  for (const [index, server] of servers.entries()) {
    const last = Math.min((index + 1) * share, 16_384) - 1;
    await server.command('CLUSTER', 'ADDSLOTSRANGE', String(index * share), String(last));
    await server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
    if (server !== first) await first.command('CLUSTER', 'MEET', '127.0.0.1', String(server.port));
  }
  const knows = async (server: TestRedis) => {
    const info = await server.command('CLUSTER', 'INFO');
    return info.includes(`cluster_known_nodes:${servers.length}`) && info.includes('cluster_state:ok');
  };
  await until(async () => (await Promise.all(servers.map(knows))).every(Boolean));
  return {
    url: `rediss+cluster://127.0.0.1:${first.port}`,
    servers,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}
