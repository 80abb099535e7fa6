/** Who holds something in PostgreSQL and goes silent: nobody else waits for long, and who has time waits. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { OPERATOR } from '../src/audit/events.ts';
import { startApp } from './support/app.ts';
import { commandLine } from './support/command-line.ts';
import { signedIn } from './support/flow.ts';
import { startLossyWay } from './support/lossy-way.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';

let postgres: TestPostgres;

/** Takes an account's row in a transaction, and stops there. */
const standing = (id: string) => `
  import { connect } from ${JSON.stringify(new URL('../src/db/connect.ts', import.meta.url))};
  const db = await connect({ url: process.env.DATABASE_URL, file: '' });
  const touch = { sql: 'UPDATE accounts SET name = name WHERE id = ?', params: [${JSON.stringify(id)}], want: 'run' };
  await db.write(function* () {
    yield touch;
    process.kill(process.pid, 'SIGSTOP');
    yield touch;
  }).catch(({ code }) => console.log(code));
  await db.close();`;

async function holder(t: TestContext, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.after(() => client.end());
  await client.query('BEGIN');
  return client;
}

const readiness = async (url: string) => {
  const started = performance.now();
  const { status } = await fetch(`${url}/readyz`);
  return { status, ms: performance.now() - started };
};

describe('on PostgreSQL', { concurrency: true }, () => {
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());

  test('an instance that stands still in the middle of a change holds it up for two seconds, undoes its own, and closes no door', async (t) => {
    const url = await postgres.database({ prepared: 'start' });
    const app = await startApp(t, { env: { LATCHKEY_DATABASE_URL: url } });
    const { person, tokens } = await signedIn(app, { scope: 'openid profile account:write' });
    const env = { ...process.env, DATABASE_URL: url };
    const source = ['--input-type=module', '--eval', standing(person.id as string)];
    const instance = spawn(process.execPath, source, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => instance.kill('SIGKILL'));
    let said = '';
    instance.stdout.on('data', (chunk) => {
      said += chunk;
    });
    const state = () => readFileSync(`/proc/${instance.pid}/stat`, 'utf8').replace(/.*\) /s, '')[0];
    while (state() !== 'T') await sleep(20);

    const change = async () => {
      const started = performance.now();
      const answer = await fetch(`${app.url}/api/v1/account`, {
        method: 'PATCH',
        headers: { authorization: `Bearer ${tokens.access_token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'Somebody Else' }),
      });
      return { status: answer.status, ms: performance.now() - started };
    };
    // More than there are connections.
    let waiting = true;
    const changes = Promise.all(Array.from({ length: 15 }, change)).finally(() => {
      waiting = false;
    });
    while (waiting) {
      assert.equal((await readiness(app.url)).status, 200);
      await sleep(100);
    }
    for (const { status, ms } of await changes) {
      assert.equal(status, 200);
      assert.ok(ms > 500 && ms < 6000, `${Math.round(ms)} ms`);
    }

    instance.kill('SIGCONT');
    await once(instance, 'exit');
    assert.equal(said.trim(), 'storage_unavailable');
  });

  test('a lock on what the probe of one process writes is no reason not to be ready', async (t) => {
    const url = await postgres.database({ prepared: 'start' });
    const app = await startApp(t, { env: { LATCHKEY_DATABASE_URL: url } });
    assert.equal((await readiness(app.url)).status, 200);
    const client = await holder(t, url);
    const taken = await client.query("UPDATE rate_windows SET hits = hits WHERE id LIKE 'write probe%'");
    assert.ok((taken.rowCount ?? 0) > 0);
    await sleep(1000);
    const first = await readiness(app.url);
    assert.ok(first.ms < 3500, `the probe was told after ${Math.round(first.ms)} ms`);
    await sleep(1000);
    for (let n = 0; n < 5; n += 1) assert.equal((await readiness(app.url)).status, 200);
  });

  test('a probe hears within two seconds that nothing can be written', async (t) => {
    const url = await postgres.database({ prepared: 'start' });
    const app = await startApp(t, { env: { LATCHKEY_DATABASE_URL: url } });
    const client = await holder(t, url);
    await client.query('LOCK TABLE rate_windows IN EXCLUSIVE MODE');
    for (let n = 0; n < 3; n += 1) {
      const { status, ms } = await readiness(app.url);
      assert.equal(status, 503);
      assert.ok(ms < 3500, `${Math.round(ms)} ms`);
    }
    await client.query('ROLLBACK');
    await sleep(1000);
    assert.equal((await readiness(app.url)).status, 200);
  });

  test('rules for addresses that can not be read hold up no probe, and others for a moment once', async (t) => {
    const url = await postgres.database({ prepared: 'start' });
    const app = await startApp(t, { env: { LATCHKEY_DATABASE_URL: url } });
    const { addresses } = app.services;
    await addresses.put({ network: '192.0.2.7', verdict: 'block', reason: '', expiresAt: null }, OPERATOR);
    await addresses.refreshed();
    const client = await holder(t, url);
    await client.query('LOCK TABLE address_rules IN ACCESS EXCLUSIVE MODE');
    await sleep(1100);
    const took = async (path: string) => {
      const started = performance.now();
      assert.equal((await fetch(app.url + path)).status, 200, path);
      return performance.now() - started;
    };
    for (const path of ['/livez', '/readyz', '/healthz']) assert.ok((await took(path)) < 2500, path);
    const started = performance.now();
    for (let n = 0; n < 10; n += 1) await took('/.well-known/openid-configuration');
    assert.ok(performance.now() - started < 4000, `${performance.now() - started} ms`);
    assert.equal(addresses.verdictOf('192.0.2.7'), 'block', 'what was known goes on');

    await client.query(
      "DELETE FROM address_rules; INSERT INTO address_rules VALUES ('192.0.2.8/32', 'block', '', 1, NULL)",
    );
    await client.query('COMMIT');
    await sleep(1100);
    await addresses.refreshed();
    assert.equal(addresses.verdictOf('192.0.2.7'), undefined);
    assert.equal(addresses.verdictOf('192.0.2.8'), 'block');
  });

  test('connections that went silent keep no probe waiting, and whoever asks for a page no longer than they have to', async (t) => {
    const url = await postgres.database({ prepared: 'start' });
    const way = await startLossyWay(t, Number(new URL(url).port));
    const app = await startApp(t, { env: { LATCHKEY_DATABASE_URL: url.replace(/:\d+\//, `:${way.port}/`) } });
    assert.equal((await readiness(app.url)).status, 200);
    const giveBack = way.lose();
    t.after(giveBack);
    await sleep(1100);
    // Whoever comes first asks for the rules of addresses, and waits for a connection that says nothing.
    const started = performance.now();
    const first = fetch(`${app.url}/oauth2/token`, { method: 'POST' });
    for (const path of ['/livez', '/readyz', '/healthz']) {
      const asked = performance.now();
      const { status } = await fetch(app.url + path);
      const ms = performance.now() - asked;
      assert.ok(ms < (path === '/livez' ? 800 : 3500), `${path} took ${Math.round(ms)} ms`);
      // A new connection works, and a probe may have one.
      assert.ok(status === 200 || (status === 503 && path !== '/livez'), `${path} ${status}`);
    }
    assert.ok([400, 503].includes((await first).status), `${(await first).status}`);
    assert.ok(performance.now() - started < 9000, `${Math.round(performance.now() - started)} ms`);
  });

  test('the metrics of the process are told while the database is silent, without those that it holds', async (t) => {
    const url = await postgres.database({ prepared: 'start' });
    const app = await startApp(t, { env: { LATCHKEY_DATABASE_URL: url } });
    const client = await holder(t, url);
    await client.query('LOCK TABLE sessions, outbox, signing_keys IN ACCESS EXCLUSIVE MODE');
    const started = performance.now();
    const answer = await fetch(`${app.url}/metrics`);
    const text = await answer.text();
    assert.ok(performance.now() - started < 5000, `${performance.now() - started} ms`);
    assert.equal(answer.status, 200);
    assert.match(text, /^process_resident_memory_bytes /m);
    assert.doesNotMatch(text, /^latchkey_(sessions_active|outbox_waiting|outbox_dead|signing_keys\{)/m);
  });

  test('a restore in place waits for a statement longer than a request would', async (t) => {
    const url = await postgres.database();
    const env = { LATCHKEY_SECRET_KEY: randomBytes(32).toString('base64'), LATCHKEY_DATABASE_URL: url };
    const app = await startApp(t, { env });
    await signedIn(app);
    await app.stop();
    const client = await holder(t, url);
    await client.query('LOCK TABLE sessions IN EXCLUSIVE MODE');
    const cli = commandLine(t, env);
    const started = performance.now();
    const restoring = cli.run(['restore', '--in-place', '--yes', '--json']);
    await sleep(14_000);
    await client.query('ROLLBACK');
    const restored = await restoring;
    assert.equal(restored.code, 0, restored.err);
    assert.equal(restored.json.people, 1);
    assert.ok(performance.now() - started >= 14_000);
  });
});
