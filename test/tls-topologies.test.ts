/** TLS to a Redis behind Sentinel and to a Cluster: every server found on the way has to prove its name, too. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startApp, type TestApp } from './support/app.ts';
import { createAuthority } from './support/certificate.ts';
import { signedIn } from './support/flow.ts';
import type { RedisTls, TestRedis } from './support/redis.ts';
import { startTlsCluster, startTlsSentinel } from './support/redis-tls.ts';

const authority = createAuthority();
const certificate = (...hosts: string[]): RedisTls => ({ ...authority.issue(hosts), ca: authority.cert });
const here = () => certificate('127.0.0.1');
/** Signed by the authority, for another server. */
const elsewhere = () => certificate('elsewhere.example', '127.0.0.2');

function authorityFile(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-tls-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'ca.pem'), authority.cert);
  return join(dir, 'ca.pem');
}

interface Witnessed {
  app: TestApp;
  refused(): string[];
  /** The line with these words. */
  said(words: string): string;
}

async function appOn(t: TestContext, url: string): Promise<Witnessed> {
  const lines: string[] = [];
  const app = await startApp(t, { env: { LATCHKEY_REDIS_URL: url }, onLog: (line) => lines.push(line) });
  const those = (words: string) => lines.filter((line) => line.includes(words));
  return {
    app,
    refused: () => those('The certificate of Redis is refused'),
    said: (words) => those(words)[0] ?? '',
  };
}

const valuesOf = async (server: TestRedis) =>
  (await server.command('KEYS', 'latchkey:value:*')).split('latchkey:value:').length - 1;

/** Works without it, says so once, and has put nothing into any of these. */
async function worksWithout(t: TestContext, url: string, servers: TestRedis[]): Promise<void> {
  const { app, refused, said } = await appOn(t, url);
  assert.equal(app.services.artifacts.volatile?.state(), 'degraded', url);
  await signedIn(app);
  assert.equal(refused().length, 1, url);
  assert.match(said('Redis is degraded'), /There is no connection to Redis \(.*certificate/);
  for (const server of servers) assert.equal(await valuesOf(server), 0, url);
  await app.stop();
}

test('X14: Sentinel over TLS finds a master over TLS; neither is believed with the certificate of another', async (t) => {
  const ca = `?ca=${authorityFile(t)}`;
  const good = await startTlsSentinel({ sentinel: here(), master: here() });
  t.after(() => good.stop());
  await worksWithout(t, good.url, good.servers);
  const { app, refused } = await appOn(t, good.url + ca);
  assert.equal(app.services.artifacts.volatile?.state(), 'up');
  await signedIn(app);
  assert.notEqual(await valuesOf(good.servers[0] as TestRedis), 0, 'values are in Redis');
  assert.deepEqual(refused(), []);
  await app.stop();

  for (const wrong of [
    { sentinel: elsewhere(), master: here() },
    { sentinel: here(), master: elsewhere() },
  ]) {
    const topology = await startTlsSentinel(wrong);
    await worksWithout(t, topology.url + ca, topology.servers);
    await topology.stop();
  }
});

test('X14: a Cluster over TLS: redirections lead to nodes that prove the address under which they are announced', async (t) => {
  const ca = `?ca=${authorityFile(t)}`;
  const good = await startTlsCluster([here(), here(), here()]);
  t.after(() => good.stop());
  const { app, refused } = await appOn(t, good.url + ca);
  assert.equal(app.services.artifacts.volatile?.state(), 'up');
  const empty = async () => (await Promise.all(good.servers.map(valuesOf))).includes(0);
  for (let n = 0; n < 30 && (await empty()); n += 1) await signedIn(app);
  assert.equal(await empty(), false, 'each node has values');
  assert.deepEqual(refused(), []);
  await app.stop();

  const mixed = await startTlsCluster([here(), here(), elsewhere()]);
  t.after(() => mixed.stop());
  const doubting = await appOn(t, mixed.url + ca);
  assert.equal(doubting.app.services.artifacts.volatile?.state(), 'degraded');
  for (let n = 0; n < 4; n += 1) await signedIn(doubting.app);
  assert.equal(await valuesOf(mixed.servers[2] as TestRedis), 0, 'nothing is said to the node of another name');
  assert.ok(doubting.refused().length >= 1);
  assert.match(doubting.said('Redis is degraded'), /There is no connection to Redis/);
  await doubting.app.stop();
});
