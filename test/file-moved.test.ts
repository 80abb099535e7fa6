/** Somebody moves, removes or replaces the files of the SQLite database under a running instance. */
import assert from 'node:assert/strict';
import { copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startIssuer } from './support/issuer.ts';

test('nothing is told as done that the next start would not find, whatever happens to the files meanwhile', async (t) => {
  const issuer = await startIssuer(t);
  const client = await issuer.createClient({
    client_name: 'Job',
    response_types: [],
    grant_types: ['client_credentials'],
  });
  const basic = `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}`;
  const token = async () => {
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    const answer = await fetch(`${issuer.url}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: basic },
      body,
    });
    await answer.body?.cancel();
    return `${answer.status} ${answer.headers.get('retry-after') ?? ''}`.trim();
  };
  const ready = async () => (await fetch(`${issuer.url}/readyz`)).status;
  const until = async (status: number) => {
    for (let waited = 0; (await ready()) !== status; waited += 100) {
      assert.ok(waited < 5000, `/readyz does not say ${status}`);
      await sleep(100);
    }
  };
  const said = async (words: string) => {
    for (let waited = 0; !issuer.output().includes(words); waited += 50) {
      assert.ok(waited < 5000, issuer.output());
      await sleep(50);
    }
  };
  const file = join(issuer.dataDir, 'latchkey.db');
  const away = join(issuer.dataDir, 'kept');

  assert.equal(await token(), '200');
  for (const name of [file, `${file}-wal`]) {
    renameSync(name, away);
    await until(503);
    assert.equal(await token(), '503 1');
    await said(`${name} was moved, removed or replaced while it was in use`);
    assert.equal((await fetch(`${issuer.url}/.well-known/jwks.json`)).status, 200, 'what is only read is served');
    renameSync(away, name);
    await until(200);
    assert.equal(await token(), '200');
  }

  renameSync(file, away);
  copyFileSync(away, file);
  await until(503);
  assert.equal(await token(), '503 1');
  renameSync(away, file);
  await until(200);
  assert.equal(await issuer.stop(), 0);
  await issuer.start();
  assert.equal(await token(), '200');
});
