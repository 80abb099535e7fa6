/** The end of an instance whose database says nothing, and one that is told twice to end. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startApp } from './support/app.ts';
import { startCrashingPostgres } from './support/postgres-crash.ts';

test('an instance ends although its database is silent, and one that is told twice ends once', async (t) => {
  const postgres = await startCrashingPostgres();
  const url = await postgres.database();
  const key = randomBytes(32).toString('base64');
  const env = { LATCHKEY_DATABASE_URL: url, LATCHKEY_SECRET_KEY: key, LATCHKEY_STOP_GRACE_SECONDS: '1' };
  const twice = await startApp(t, { env });
  const silent = await startApp(t, { env });
  t.after(() => postgres.stop());

  await Promise.all([twice.running.stop(), twice.running.stop()]);
  const { items } = await silent.services.audit.list({ type: 'instance.stopped' }, 10);
  assert.equal(items.length, 1);

  await sleep(1000);
  const thaw = postgres.freeze();
  try {
    const started = performance.now();
    await silent.stop();
    const ms = performance.now() - started;
    assert.ok(ms < 11_000, `${Math.round(ms)} ms`);
  } finally {
    thaw();
  }
});
