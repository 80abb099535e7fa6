/** kill -9 of the serving process, and a loss of power, under the mixed load of the ledger. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import Sqlite from 'better-sqlite3';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { type Mercy, powerLine } from '../support/power-loss.ts';
import { createLedger, WrongAnswer } from './ledger.ts';
import { between, oneOf, type Proof, pause, quantile } from './proof.ts';

const PEOPLE = 4;

type Size = { rounds: number; 'ms of life at most': number };

const killed: Proof<Size> = {
  fault: 'kill -9 at random moments, SQLite',
  promise: 'what was acknowledged is there, what was revoked or consumed stays so, nothing is half done',
  few: { rounds: 2, 'ms of life at most': 900 },
  full: { rounds: 200, 'ms of life at most': 3000 },

  async run(t, size) {
    const issuer = await startIssuer(t, { env: { LATCHKEY_LOG_LEVEL: 'info' } });
    return livesUntil(t, issuer, size, () => issuer.stop('SIGKILL'));
  },
};

const power: Proof<Size> = {
  fault: 'loss of power, SQLite',
  promise: 'what was acknowledged is there although only what was synced is kept, and the file is sound',
  few: { rounds: 2, 'ms of life at most': 900 },
  full: { rounds: 20, 'ms of life at most': 3000 },

  async run(t, size) {
    const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-power-'));
    t.after(() => rmSync(dataDir, { recursive: true, force: true }));
    const line = powerLine(t, join(dataDir, 'latchkey.db'));
    line.on();
    const issuer = await startIssuer(t, { env: { ...line.env, LATCHKEY_DATA_DIR: dataDir } });
    const lost: number[] = [];
    const mercies: Mercy[] = ['nothing', 'anything'];
    const measured = await livesUntil(t, { ...issuer, dataDir }, size, async (round) => {
      await issuer.stop('SIGKILL');
      const { writes, syncs } = line.off(mercies[round % mercies.length] as Mercy);
      assert.ok(syncs > 0, 'the process waits for the disk');
      lost.push(writes);
      line.on();
    });
    return `${measured}; ${Math.max(...lost)} writes under way at most`;
  },
};

/** Rounds of people living on the service until `end` ends it; then it starts again and the ledger is checked. */
async function livesUntil(
  t: TestContext,
  issuer: Issuer,
  { rounds, 'ms of life at most': most }: Size,
  end: (round: number) => Promise<unknown>,
): Promise<string> {
  const metadata = { token_endpoint_auth_method: 'none', first_party: true, client_name: 'Ledger' };
  const client = await issuer.createClient({ ...metadata, redirect_uris: ['http://127.0.0.1:9/callback'] });
  const ledger = createLedger(issuer, client.client_id, join(issuer.dataDir, 'ledger.jsonl'));
  t.after(ledger.rest);
  const database = join(issuer.dataDir, 'latchkey.db');
  const starts: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const known = ledger.books.length;
    const lives = Array.from({ length: PEOPLE }, () => ledger.live());
    await pause(between(200, most));
    const registered = ledger.books.filter((book) => book.registered === 'yes' && book.disabled === 'no');
    const gone = registered.length > 0 && round % 5 === 0 ? oneOf(registered) : undefined;
    await end(round);
    for (const broken of await Promise.all(lives)) {
      if (broken instanceof WrongAnswer || broken instanceof assert.AssertionError) throw broken;
    }
    const started = performance.now();
    await issuer.start();
    starts.push(performance.now() - started);
    if (gone) await ledger.disable(gone);
    const older = known > 0 ? [oneOf(ledger.books.slice(0, known))] : [];
    for (const book of [...ledger.books.slice(known), ...older]) await ledger.check(book);
    checkDatabase(database, ledger.books);
  }
  const { stdout } = await issuer.run('audit', 'verify', '--json');
  assert.match(stdout, /"ok":\s*true|"intact":\s*true/, stdout);
  ledger.close();
  const { intents, acknowledged, checks } = ledger.counts;
  const back = Math.round(quantile(starts, 0.95));
  return `0 violations; ${acknowledged} of ${intents} intents acknowledged, ${checks} books checked, back p95 ${back} ms`;
}

const TWINS = 'SELECT grant_id FROM refresh_tokens WHERE consumed_at IS NULL GROUP BY grant_id HAVING count(*) > 1';

function checkDatabase(file: string, books: { registered: string }[]): void {
  const database = new Sqlite(file, { readonly: true });
  try {
    assert.equal(database.pragma('integrity_check', { simple: true }), 'ok');
    const twins = database.prepare(TWINS).all();
    assert.deepEqual(twins, [], 'one living refresh token a grant');
    const { n } = database.prepare('SELECT count(*) AS n FROM accounts').get() as { n: number };
    const sure = books.filter(({ registered }) => registered === 'yes').length;
    const most = books.filter(({ registered }) => registered !== 'no').length;
    assert.ok(n >= sure && n <= most, `${n} accounts, ${sure} acknowledged, ${most} asked for`);
  } finally {
    database.close();
  }
}

export const proofs = [killed, power];
