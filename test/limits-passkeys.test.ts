/** A08: tries at passkeys count for the account that they name, in both steps; one that nobody knows counts for its source. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { startApp, type TestApp } from './support/app.ts';
import { createAuthenticator } from './support/authenticator.ts';
import { codeOf, signIn } from './support/flow.ts';
import { answer, optionsFor, signInPage, withPasskey } from './support/passkeys.ts';

let app: TestApp;
const ends: Array<() => Promise<void>> = [];
before(async () => {
  const context = { after: (end: () => Promise<void>) => ends.push(end) } as never;
  app = await startApp(context, { env: { LATCHKEY_LIMIT_FAILURES_PER_PAIR: '3' } });
});
after(async () => {
  for (const end of ends) await end();
});

const foreignKey = () => ({ key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey });
type User = Awaited<ReturnType<typeof withPasskey>>;

/** The answer to a try at the first step, in a browser that nobody knows. */
async function tried({ client, authenticator }: Pick<User, 'client' | 'authenticator'>, { right = false } = {}) {
  const { visitor, page } = await signInPage(app, client.client_id);
  return answer(visitor, page, authenticator.get(await optionsFor(visitor, page), right ? {} : foreignKey()));
}

test('A08: forged answers at the first step close the account to their source, whoever else is welcome', async () => {
  const user = await withPasskey(app);
  const other = await withPasskey(app);
  for (let tries = 0; tries < 3; tries += 1) assert.equal((await tried(user)).status, 400);
  const closed = await tried(user, { right: true });
  assert.equal(closed.status, 429);
  assert.ok(closed.headers.get('retry-after'));
  assert.ok(codeOf(await tried(other, { right: true })), 'another account');
  const { items } = await app.services.audit.list({ account: user.person.id, type: 'account.slowed' }, 5);
  assert.deepEqual([items.length, items[0]?.details['kind']], [1, 'factor']);
});

test('A08: the second step shares the count', async () => {
  const user = await withPasskey(app);
  for (let tries = 0; tries < 3; tries += 1) assert.equal((await tried(user)).status, 400);
  const { visitor, page } = await signInPage(app, user.client.client_id);
  const second = await signIn(visitor, page, user.person);
  const end = await answer(visitor, second, user.authenticator.get(await optionsFor(visitor, second)));
  assert.equal(end.status, 429);
});

test('D7: the browser in which the person signed in before has tries of its own', async () => {
  const user = await withPasskey(app);
  const { visitor, client, authenticator } = user;
  for (let tries = 0; tries < 4; tries += 1) await tried(user);
  const form = await visitor.open('/account/security/passkey/new');
  const end = await answer(visitor, form, authenticator.get(await optionsFor(visitor, form)));
  assert.match(end.url, /\/passkey\/new$/, 'a stranger’s guesses lock nobody out');

  // And a sign-in by passkey makes a browser known.
  const fresh = await withPasskey(app);
  const start = await signInPage(app, client.client_id);
  const signed = await answer(
    start.visitor,
    start.page,
    fresh.authenticator.get(await optionsFor(start.visitor, start.page)),
  );
  assert.ok(codeOf(signed));
  assert.match(start.visitor.cookieFor(`${app.url}/`), /latchkey_device=/);
});

test('a passkey that nobody knows counts for its source, and for nobody’s account', async () => {
  const user = await withPasskey(app);
  const unknown = createAuthenticator(app.url);
  const rows = () => app.services.db.all<{ id: string }>('SELECT id FROM attempts');
  const before = (await rows()).length;
  const stranger = { client: user.client, authenticator: unknown };
  for (let tries = 0; tries < 4; tries += 1) {
    const end = await tried(stranger, { right: true });
    assert.ok([400, 429].includes(end.status), String(end.status));
  }
  assert.ok((await rows()).length > before, 'it is counted');
  assert.ok(codeOf(await tried(user, { right: true })));
});
