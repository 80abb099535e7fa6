/** Two instances on one database behind a proxy are restarted one after the other under load. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { freePort } from '../support/ports.ts';
import { startPostgres } from '../support/postgres.ts';
import { startTraffic, wrongOf } from '../support/traffic.ts';
import { type Proof, pause, quantile } from './proof.ts';

const DRAIN_SECONDS = 1;
const PROBE_MS = 100;

const rolling: Proof<{ restarts: number; 'least requests': number }> = {
  fault: 'SIGTERM under load, rolling restart of two instances',
  promise: 'no failed request',
  few: { restarts: 2, 'least requests': 300 },
  full: { restarts: 20, 'least requests': 10_000 },

  async run(t, size) {
    const postgres = await startPostgres();
    t.after(() => postgres.stop());
    const port = await freePort();
    const env = {
      LATCHKEY_ISSUER: `http://localhost:${port}`,
      LATCHKEY_DATABASE_URL: await postgres.database(),
      LATCHKEY_SECRET_KEY: randomBytes(32).toString('base64'),
      LATCHKEY_DRAIN_SECONDS: String(DRAIN_SECONDS),
    };
    const first = await startIssuer(t, { env });
    const instances = [first, await startIssuer(t, { env })];
    await startProxy(t, port, instances);
    const traffic = await startTraffic(t, first, { workers: 6, restMs: 3 });
    const exits: number[] = [];
    for (let n = 0; n < size.restarts || traffic.answers.length < size['least requests']; n += 1) {
      const instance = instances[n % 2] as Issuer;
      await pause(400);
      const started = performance.now();
      assert.equal(await instance.stop('SIGTERM'), 0);
      exits.push(performance.now() - started);
      await instance.start();
      await pause(3 * PROBE_MS);
    }
    await traffic.stop();
    assert.deepEqual(wrongOf(traffic.answers), []);
    assert.equal(traffic.answers.filter(({ status }) => status === 503).length, 0);
    assert.ok(Math.max(...exits) < 15_000);
    const slowest = Math.round(
      quantile(
        traffic.answers.map(({ ms }) => ms),
        0.99,
      ),
    );
    return `0 of ${traffic.answers.length} requests failed in ${exits.length} restarts; p99 ${slowest} ms, exit after ${Math.round(Math.max(...exits))} ms at most`;
  },
};

/** Passes bytes on to an instance that says it is ready, as a balancer on the transport layer does. */
async function startProxy(t: TestContext, port: number, instances: Issuer[]): Promise<void> {
  const backends = instances.map(({ env }) => ({ port: Number(env['LATCHKEY_PORT']), ready: true }));
  const sockets = new Set<Socket>();
  let turn = 0;
  const probing = setInterval(() => {
    for (const backend of backends) {
      fetch(`http://127.0.0.1:${backend.port}/readyz`, { headers: { connection: 'close' } }).then(
        (answer) => {
          backend.ready = answer.ok;
        },
        () => {
          backend.ready = false;
        },
      );
    }
  }, PROBE_MS);
  const server = createServer((incoming) => {
    turn += 1;
    const ready = backends.filter((backend) => backend.ready);
    const { port: to } = ready[turn % ready.length] ?? (backends[0] as { port: number });
    const outgoing = connect(to, '127.0.0.1');
    for (const [from, into] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(from);
      from.pipe(into);
      from.on('error', () => into.destroy());
      from.on('close', () => sockets.delete(from));
    }
  });
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve));
  t.after(() => {
    clearInterval(probing);
    server.close();
    for (const socket of sockets) socket.destroy();
  });
}

export const proofs = [rolling];
