/** Clients of the configuration file: declared there, changed there, gone from there; a start changes nothing twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './support/app.ts';
import { CALLBACK, token } from './support/flow.ts';

const declared = (name: string) => `
clients:
  - client_id: shop
    client_name: ${name}
    first_party: true
    client_secret: { env: SHOP_SECRET }
    redirect_uris: ['https://shop.example.com/callback']
  - client_id: nightly
    grant_types: [client_credentials]
    response_types: []
    client_secret: { env: NIGHTLY_SECRET }
`;
const ONLY_SHOP = declared('Shop').slice(0, declared('Shop').indexOf('  - client_id: nightly'));

test('a second start changes nothing, a changed file changes its clients and no others', async (t) => {
  const env = { SHOP_SECRET: 'Kq7-of-the-shop-9Zt', NIGHTLY_SECRET: 'Wm2-of-the-night-5Lx' };
  const first = await startApp(t, { env, config: declared('Shop') });
  const { dataDir } = first;
  const port = Number(new URL(first.url).port);
  const made = await first.client({ redirect_uris: [CALLBACK] });
  const shop = await first.services.clients.find('shop');
  assert.equal(shop?.metadata.client_secret, env.SHOP_SECRET);
  await first.stop();

  const second = await startApp(t, { env, config: declared('Shop'), dataDir, port });
  assert.deepEqual(await second.services.clients.find('shop'), shop, 'not even its time of change');
  const credentials = { client_id: 'nightly', client_secret: env.NIGHTLY_SECRET };
  assert.equal((await token(second, credentials, { grant_type: 'client_credentials' })).status, 200);
  await second.stop();

  const third = await startApp(t, { env, config: ONLY_SHOP.replace('Shop', 'The shop'), dataDir, port });
  assert.equal((await third.services.clients.find('shop'))?.name, 'The shop');
  assert.equal(await third.services.clients.find('nightly'), undefined);
  assert.ok(await third.services.clients.find(made.client_id), 'a client of the command line stays');
  assert.equal((await token(third, credentials, { grant_type: 'client_credentials' })).body.error, 'invalid_client');
});
