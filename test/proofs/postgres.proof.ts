/** PostgreSQL crashes, or falls silent, and comes back under load. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { startIssuer } from '../support/issuer.ts';
import { startLossyWay } from '../support/lossy-way.ts';
import { startCrashingPostgres } from '../support/postgres-crash.ts';
import { judged, startTraffic, wrongOf } from '../support/traffic.ts';
import { createLedger, WrongAnswer } from './ledger.ts';
import { between, type Proof, pause, quantile, until } from './proof.ts';

const restarted: Proof<{ rounds: number }> = {
  fault: 'PostgreSQL crashes and restarts under load',
  promise: 'only 503 with Retry-After while it is away, back within 2 s, nothing acknowledged is lost',
  few: { rounds: 2 },
  full: { rounds: 30 },

  async run(t, { rounds }) {
    const postgres = await startCrashingPostgres();
    t.after(() => postgres.stop());
    const issuer = await startIssuer(t, { env: { LATCHKEY_DATABASE_URL: await postgres.database() } });
    const metadata = { token_endpoint_auth_method: 'none', first_party: true, client_name: 'Ledger' };
    const client = await issuer.createClient({ ...metadata, redirect_uris: ['http://127.0.0.1:9/callback'] });
    const ledger = createLedger(issuer, client.client_id, join(issuer.dataDir, 'ledger.jsonl'));
    t.after(ledger.rest);
    const traffic = await startTraffic(t, issuer);
    const back: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const known = ledger.books.length;
      const lives = Array.from({ length: 2 }, () => ledger.live());
      await pause(between(300, 1500));
      await postgres.crash();
      await pause(between(100, 1500));
      await postgres.start();
      const isBack = async () => (await fetch(`${issuer.url}/readyz`)).status === 200;
      back.push(await until('ready again', isBack));
      const firstBack = traffic.answers.length;
      ledger.rest();
      for (const broken of await Promise.all(lives)) if (broken instanceof WrongAnswer) throw broken;
      for (const book of ledger.books.slice(known)) await ledger.check(book);
      await until('good answers again', async () => traffic.answers.slice(firstBack).some((a) => judged(a) === 'good'));
    }
    await traffic.stop();
    ledger.close();
    assert.deepEqual(wrongOf(traffic.answers), []);
    const away = traffic.answers.filter((answer) => judged(answer) === 'away').length;
    assert.ok(away > 0, 'the fault was felt');
    assert.ok(Math.max(...back) <= 2000, `back after ${back.map(Math.round)} ms`);
    const slowest = Math.round(quantile(back, 1));
    return `${traffic.answers.length} requests, ${away} told to come again, 0 wrong; ready ${slowest} ms after it at most`;
  },
};

/** Above the client's own bound for a statement. */
const HEALED_MS = 15_000;

const frozen: Proof<{ rounds: number }> = {
  fault: 'PostgreSQL is frozen, or every connection to it is lost in silence, under load',
  promise:
    '503 with Retry-After while it is silent, back within 2 s of its return, within 15 s when new connections work',
  few: { rounds: 1 },
  full: { rounds: 6 },

  async run(t, { rounds }) {
    const postgres = await startCrashingPostgres();
    t.after(() => postgres.stop());
    const way = await startLossyWay(t, postgres.port);
    const url = new URL(await postgres.database());
    url.port = String(way.port);
    const issuer = await startIssuer(t, { env: { LATCHKEY_DATABASE_URL: url.href } });
    // More of them than connections: some find all connections lent out.
    const traffic = await startTraffic(t, issuer, { workers: 20, restMs: 50 });
    const isBack = async () => (await fetch(`${issuer.url}/readyz`)).status === 200;
    const goodAfter = (n: number) => async () => traffic.answers.slice(n).some((each) => judged(each) === 'good');
    const back: number[] = [];
    const healed: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await pause(between(300, 800));
      const thaw = postgres.freeze();
      t.after(thaw);
      await pause(between(4000, 6000));
      thaw();
      back.push(await until('ready again', isBack));
      await until('good answers again', goodAfter(traffic.answers.length));
      const giveBack = way.lose();
      // What was on its way is done.
      await pause(500);
      healed.push(await until('good answers of new connections', goodAfter(traffic.answers.length), HEALED_MS + 5000));
      await until('ready on new connections', isBack);
      giveBack();
    }
    await traffic.stop();
    assert.deepEqual(wrongOf(traffic.answers), []);
    const away = traffic.answers.filter((answer) => judged(answer) === 'away').length;
    assert.ok(away > 0, 'the fault was felt');
    assert.ok(Math.max(...back) <= 2000, `back after ${back.map(Math.round)} ms`);
    assert.ok(Math.max(...healed) <= HEALED_MS, `healed after ${healed.map(Math.round)} ms`);
    const [slowest, longest] = [Math.round(quantile(back, 1)), Math.round(quantile(healed, 1))];
    return `${traffic.answers.length} requests, ${away} told to come again, 0 wrong; ready ${slowest} ms after it at most, ${longest} ms after its connections were lost`;
  },
};

export const proofs = [restarted, frozen];
