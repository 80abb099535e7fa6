/** TLS to the database and to Redis: real servers with certificates of a private authority, which is trusted or not. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { openRedis } from '../src/artifacts/redis-client.ts';
import { redisAddress } from '../src/config/redis-address.ts';
import { connect } from '../src/db/connect.ts';
import { startApp } from './support/app.ts';
import { selfSigned } from './support/certificate.ts';
import { signedIn } from './support/flow.ts';
import { startPostgres } from './support/postgres.ts';
import { startRedis } from './support/redis.ts';

const ours = selfSigned(['127.0.0.1']);

function fileOf(t: TestContext, cert: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-tls-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'ca.pem'), cert);
  return join(dir, 'ca.pem');
}

test('X14: PostgreSQL over TLS, with the authority that the address names and with no other', async (t) => {
  const server = await startPostgres({ tls: ours });
  t.after(() => server.stop());
  const url = await server.database();
  const trusted = `${url}?sslmode=verify-full&sslrootcert=${fileOf(t, ours.cert)}`;
  const app = await startApp(t, { env: { LATCHKEY_DATABASE_URL: trusted } });
  await signedIn(app);
  const eyes = new pg.Client({ connectionString: url });
  await eyes.connect();
  const { rows } = await eyes.query(
    "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'latchkey'",
  );
  await eyes.end();
  assert.deepEqual(rows, [{ ssl: true }]);
  const refused = { name: 'Error', message: /^The certificate of PostgreSQL at \S+ is refused \(.*\)\. .*sslrootcert/ };
  const foreign = fileOf(t, selfSigned(['127.0.0.1']).cert);
  for (const wrong of [
    `${url}?sslmode=verify-full`,
    `${url}?sslmode=verify-full&sslrootcert=${foreign}`,
    trusted.replace('127.0.0.1', 'localhost'),
  ]) {
    await assert.rejects(connect({ url: wrong, file: '' }), refused, wrong);
  }
  await assert.rejects(connect({ url: `${url}?sslmode=verify-full&sslrootcert=/none.pem`, file: '' }), {
    message: /no such file or directory, open '\/none\.pem'/,
  });
  await app.stop();
});

test('X14: who stands between and says that PostgreSQL speaks no TLS learns nothing', async (t) => {
  const heard: string[] = [];
  const between = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      heard.push(bytes.toString('latin1'));
      socket.write('N');
    });
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  t.after(() => between.close());
  const { port } = between.address() as { port: number };
  const url = `postgres://latchkey:hidden-word@127.0.0.1:${port}/latchkey?sslmode=verify-full`;
  await assert.rejects(connect({ url, file: '' }), {
    message: /^PostgreSQL at \S+ does not answer \(The server does not support SSL connections\)/,
  });
  // The request for TLS, and not a byte more: https://www.postgresql.org/docs/current/protocol-message-formats.html
  assert.deepEqual(heard, ['\x00\x00\x00\x08\x04\xd2\x16\x2f']);
});

test('X14: Redis over TLS, with the authority that the address names and with no other', async (t) => {
  const redis = await startRedis({ tls: ours });
  t.after(() => redis.stop());
  const url = `rediss://127.0.0.1:${redis.port}`;
  const trusted = `${url}?ca=${fileOf(t, ours.cert)}`;
  const app = await startApp(t, { env: { LATCHKEY_REDIS_URL: trusted } });
  assert.equal(app.services.artifacts.volatile?.state(), 'up');
  await signedIn(app);

  for (const wrong of [
    url,
    `${url}?ca=${fileOf(t, selfSigned(['127.0.0.1']).cert)}`,
    trusted.replace('127.0.0.1', 'localhost'),
  ]) {
    const lines: string[] = [];
    const without = await startApp(t, { env: { LATCHKEY_REDIS_URL: wrong }, onLog: (line) => lines.push(line) });
    assert.equal(without.services.artifacts.volatile?.state(), 'degraded', wrong);
    await signedIn(without);
    const told = lines.filter((line) => line.includes('The certificate of Redis is refused'));
    assert.equal(told.length, 1, wrong);
    for (const line of told) assert.equal(JSON.parse(line).level, 50);
    await without.stop();
  }
  const gone = startApp(t, { env: { LATCHKEY_REDIS_URL: `${url}?ca=/none.pem` } });
  await assert.rejects(gone, { message: /^The file that LATCHKEY_REDIS_URL names as ca can't be read \(ENOENT/ });
});

test('X14: an end in the middle of a handshake with a Redis that is not trusted ends nothing else', async (t) => {
  const redis = await startRedis({ tls: ours });
  t.after(() => redis.stop());
  const address = `rediss://127.0.0.1:${redis.port}?ca=${fileOf(t, selfSigned(['127.0.0.1']).cert)}`;
  const links = Array.from({ length: 20 }, () =>
    openRedis(redisAddress(address), { onReady: () => assert.fail(), onError: () => {} }),
  );
  for (const link of links) {
    await new Promise((resolve) => setImmediate(resolve));
    link.close();
  }
  // Time for errors that nobody hears: they end the process.
  await new Promise((resolve) => setTimeout(resolve, 1000));
});
