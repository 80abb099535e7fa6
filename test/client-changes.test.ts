/** Changes of one client or one profile at the same moment: none takes another back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startApp } from './support/app.ts';
import { somebody } from './support/flow.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';

const REDIRECTS = ['http://127.0.0.1:9/callback'];

let postgres: TestPostgres;
before(async () => {
  postgres = await startPostgres();
});
after(() => postgres.stop());

for (const engine of ['SQLite', 'PostgreSQL']) {
  const env = async (): Promise<Record<string, string>> =>
    engine === 'SQLite' ? {} : { LATCHKEY_DATABASE_URL: await postgres.database({ prepared: 'start' }) };

  test(`a change beside a rotation of the secret does not bring the old one back (${engine})`, async (t) => {
    const app = await startApp(t, { env: await env() });
    const { clients } = app.services;
    const { client_id: id } = await app.client();
    for (let round = 0; round < 5; round += 1) {
      const [rotated, ...changed] = await Promise.all([
        clients.rotateSecret(id),
        clients.update(id, { client_name: `name ${round}` }),
        clients.update(id, { client_uri: `https://app.example.com/${round}` }),
      ]);
      assert.equal(changed.length, 2);
      const now = await clients.metadata(id);
      assert.equal(now?.client_secret, rotated.client_secret);
      assert.equal(now?.['client_name'], `name ${round}`);
      assert.equal(now?.['client_uri'], `https://app.example.com/${round}`);
    }
  });

  test(`clients that two starts declare at once exist once, with one secret (${engine})`, async (t) => {
    const app = await startApp(t, { env: await env() });
    const { clients } = app.services;
    const wanted = (name: string) => [{ client_id: 'declared', client_name: name, redirect_uris: REDIRECTS }];
    await Promise.all([clients.apply('config', wanted('One')), clients.apply('config', wanted('One'))]);
    const first = await clients.metadata('declared');
    const [rotated] = await Promise.all([clients.rotateSecret('declared'), clients.apply('config', wanted('Two'))]);
    const now = await clients.metadata('declared');
    assert.notEqual(rotated.client_secret, first?.client_secret);
    assert.equal(now?.client_secret, rotated.client_secret);
    assert.equal(now?.['client_name'], 'Two');
  });

  test(`of several who register one id one is told so, the others that it is taken (${engine})`, async (t) => {
    const app = await startApp(t, { env: await env() });
    const { clients } = app.services;
    const metadata = { client_id: 'wanted', client_name: 'App', redirect_uris: REDIRECTS };
    const made = await Promise.allSettled(Array.from({ length: 4 }, () => clients.create({ metadata, source: 'cli' })));
    const told = made.filter((each) => each.status === 'fulfilled');
    assert.equal(told.length, 1);
    for (const each of made) if (each.status === 'rejected') assert.equal(each.reason.code, 'conflict');
    assert.equal((await clients.metadata('wanted'))?.client_secret, told[0]?.value.client_secret);
  });

  test(`two members of a profile that are changed at once both stay (${engine})`, async (t) => {
    const app = await startApp(t, { env: await env() });
    const { id } = await somebody(app);
    const { accounts } = app.services;
    await Promise.all([
      accounts.changeProfile(id, { given_name: 'Ada' }),
      accounts.changeProfile(id, { family_name: 'Lovelace' }),
      accounts.changeProfile(id, {}),
    ]);
    const { profile } = await accounts.existing(id);
    assert.deepEqual([profile.given_name, profile.family_name], ['Ada', 'Lovelace']);
    await accounts.changeProfile(id, { given_name: null });
    assert.equal((await accounts.existing(id)).profile.given_name, null);
  });
}

test('an origin is forgotten within a second, also when the clock of the machine goes back', async (t) => {
  const app = await startApp(t);
  const { clients, db } = app.services;
  const { client_id: id } = await app.client({ redirect_uris: ['https://spa.example.com/callback'] });
  assert.equal(await clients.originAllowed('https://spa.example.com'), true);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() - 3_600_000 });
  // As another process removes it.
  await db.run('DELETE FROM clients WHERE client_id = ?', id);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assert.equal(await clients.originAllowed('https://spa.example.com'), false);
});
