/** Two instances on one database behind a proxy are restarted one after the other under load. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { PROBE_MS, startBalancer } from '../support/balancer.ts';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { freePort } from '../support/ports.ts';
import { startPostgres } from '../support/postgres.ts';
import { startTraffic, wrongOf } from '../support/traffic.ts';
import { type Proof, pause, quantile } from './proof.ts';

const DRAIN_SECONDS = 1;

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
    await startBalancer(t, port, instances);
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

export const proofs = [rolling];
