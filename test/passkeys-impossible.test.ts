/** An issuer whose host is an IP address offers no passkeys, and says why; what was proved long ago sets nothing up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, createApi, SCOPE } from './support/account-api.ts';
import { startApp } from './support/app.ts';
import { oath, secondStep, secretOn } from './support/factors.ts';
import { signedIn, somebody } from './support/flow.ts';
import { freePort } from './support/ports.ts';

test('at an IP address no passkey is offered, on no page and to no application', async (t) => {
  const port = await freePort();
  const env = { LATCHKEY_ISSUER: `http://127.0.0.1:${port}`, LATCHKEY_SECOND_FACTOR: 'everybody' };
  const app = await startApp(t, { port, env });
  const { page, visitor } = await secondStep(app, await somebody(app));
  assert.match(page.url, /\/protect$/);
  assert.doesNotMatch(page.html, /\/protect\/passkey"/);
  assert.match(page.html, /\/protect\/totp"/);
  const start = await visitor.open('/account');
  assert.doesNotMatch(start.html, /data-passkey/);
});

test('the security page says why', async (t) => {
  const port = await freePort();
  const app = await startApp(t, { port, env: { LATCHKEY_ISSUER: `http://127.0.0.1:${port}` } });
  const { visitor, tokens } = await signedIn(app, { scope: SCOPE });
  for (const path of ['/account/security', '/account/security/passkey', '/account/security/passkey/new'])
    assert.match((await visitor.open(path)).html, /browsers make passkeys for names only/, path);
  const call = 'POST /api/v1/account/factors/passkeys/options';
  assertRefused(await createApi(app, tokens.access_token)(call), 'conflict');
});

test('A17: an authenticator is not set up on the way in by a password of more than ten minutes ago', async (t) => {
  const app = await startApp(t, { env: { LATCHKEY_SECOND_FACTOR: 'everybody' } });
  const person = await somebody(app);
  const { visitor, page } = await secondStep(app, person);
  const setUp = await visitor.open(`${page.url}/totp`);
  const old = Math.floor(Date.now() / 1000) - 601;
  await app.services.db.run('UPDATE sign_in_steps SET auth_time = ? WHERE account_id = ?', old, person.id);
  const late = await visitor.submit(setUp, { code: oath(secretOn(setUp)) }, '/protect/totp$');
  assert.equal(late.status, 410);
  assert.deepEqual(await app.services.factors.of(person.id), []);
});
