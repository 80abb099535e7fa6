/** PostgreSQL crashes and comes back under load. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { startIssuer } from '../support/issuer.ts';
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

export const proofs = [restarted];
