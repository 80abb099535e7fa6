/** A20: forged, replayed and borrowed passkey ceremonies are refused, all in the same words; a challenge is good once. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, type TestContext, test } from 'node:test';
import { createSqlArtifacts } from '../src/artifacts/sql.ts';
import { createPasskeyChallenges } from '../src/factors/passkey-challenges.ts';
import { startApp, type TestApp } from './support/app.ts';
import { createAuthenticator, FLAGS, type Spoiled } from './support/authenticator.ts';
import { codeOf, signedIn, signIn, somebody } from './support/flow.ts';
import { answer, openFresh, optionsFor, passkeyFormOf, signInPage, withPasskey } from './support/passkeys.ts';
import { type Backend, DATABASES } from './support/stores.ts';
import type { Page, Visitor } from './support/visitor.ts';

const record = async (app: TestApp, type: string) => (await app.services.audit.list({ type } as never, 100)).items;
const foreignKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
/** The words of the refusal, without what differs from page to page. */
const wordsOf = (page: Page) => /role="alert"[\s\S]*?<\/ul>/.exec(page.html)?.[0];

const FORGED: Record<string, () => Spoiled> = {
  'a challenge that nobody gave out': () => ({ challenge: Buffer.alloc(32, 7).toString('base64url') }),
  'another origin': () => ({ origin: 'https://evil.example' }),
  'a sibling port of this host': () => ({ origin: 'http://localhost:1' }),
  'another relying party': () => ({ rpId: 'evil.example' }),
  'nobody was there': () => ({ flags: FLAGS.verified }),
  'nobody was verified': () => ({ flags: FLAGS.present }),
  'a registration in place of a sign-in': () => ({ type: 'webauthn.create' }),
  'another key': () => ({ key: foreignKey() }),
  'from within a frame of another site': () => ({ crossOrigin: true }),
  'another account’s handle': () => ({ userHandle: Buffer.alloc(64, 1).toString('base64url') }),
  'no handle': () => ({ userHandle: null }),
};

describe('A20: a forged sign-in is refused', () => {
  test('A20: whatever was forged, in the same words as an unknown passkey and a disabled account', async (t) => {
    // Each of them counts for the account (limits-passkeys.test.ts).
    const app = await startApp(t, { env: { LATCHKEY_LIMIT_FAILURES_PER_PAIR: '100' } });
    const { client, authenticator, person } = await withPasskey(app);
    const words = new Set<string | undefined>();
    const tried = async (forge: (visitor: Visitor, page: Page) => Promise<object>) => {
      const { visitor, page } = await signInPage(app, client.client_id);
      const end = await answer(visitor, page, await forge(visitor, page));
      assert.equal(end.status, 400);
      assert.equal(codeOf(end), null);
      words.add(wordsOf(end));
    };
    for (const spoil of Object.values(FORGED)) {
      await tried(async (visitor, page) => authenticator.get(await optionsFor(visitor, page), spoil()));
    }
    const unknown = createAuthenticator(app.url);
    await tried(async (visitor, page) => unknown.get(await optionsFor(visitor, page)));
    await tried(async (visitor, page) => ({
      ...authenticator.get(await optionsFor(visitor, page)),
      ...{ id: unknown.id, rawId: unknown.id },
    }));
    await app.services.accounts.disable(person.id);
    await tried(async (visitor, page) => authenticator.get(await optionsFor(visitor, page)));
    assert.equal(words.size, 1);
    const reasons = (await record(app, 'sign_in.failed')).map(({ details }) => details['reason']);
    assert.equal(reasons.length, Object.keys(FORGED).length + 3);
    assert.deepEqual([...new Set(reasons)].sort(), [
      'account_disabled',
      'challenge',
      'handle',
      'passkey_refused',
      'unknown_passkey',
    ]);
    assert.deepEqual(await record(app, 'passkey.anomaly'), [], 'what was not signed says nothing of the passkey');
  });

  test('a counter that goes back, and a key that became copyable, are anomalies', async (t) => {
    const app = await startApp(t);
    const { client, authenticator, person } = await withPasskey(app);
    const used = async (spoiled: Spoiled) => {
      const { visitor, page } = await signInPage(app, client.client_id);
      return answer(visitor, page, authenticator.get(await optionsFor(visitor, page), spoiled));
    };
    assert.ok(codeOf(await used({ counter: 4_000_000_000 })), 'a counter of 32 bits');
    assert.equal((await used({ counter: 4_000_000_000 })).status, 400);
    assert.equal((await used({ counter: 5 })).status, 400);
    assert.equal((await used({ counter: 0 })).status, 400);
    const eligible = FLAGS.present | FLAGS.verified | FLAGS.eligible;
    assert.equal((await used({ counter: 4_000_000_001, flags: eligible })).status, 400);
    const anomalies = await record(app, 'passkey.anomaly');
    assert.deepEqual(anomalies.map(({ details }) => details['reason']).reverse(), [
      'counter',
      'counter',
      'counter',
      'backup',
    ]);
    assert.ok(anomalies.every(({ account_id, outcome }) => account_id === person.id && outcome === 'failure'));
  });

  test('A20: a challenge of another sign-in, of another step, or of five minutes ago', async (t) => {
    const app = await startApp(t);
    const { client, authenticator, person } = await withPasskey(app);
    const [mine, theirs] = [await signInPage(app, client.client_id), await signInPage(app, client.client_id)];
    const foreign = await optionsFor(theirs.visitor, theirs.page);
    assert.equal((await answer(mine.visitor, mine.page, authenticator.get(foreign))).status, 400);
    const first = await optionsFor(mine.visitor, mine.page);
    const second = await signIn(mine.visitor, mine.page, person);
    assert.match(second.url, /\/passkey$/);
    assert.equal((await answer(mine.visitor, second, authenticator.get(first))).status, 400);
    const options = await optionsFor(theirs.visitor, theirs.page);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 5 * 60_000 + 1000 });
    assert.equal((await answer(theirs.visitor, theirs.page, authenticator.get(options))).status, 400);
  });

  test('an answer is good once, also a hundred times at the same moment', async (t) => {
    const app = await startApp(t);
    const { client, authenticator } = await withPasskey(app);
    const { visitor, page } = await signInPage(app, client.client_id);
    const response = JSON.stringify(authenticator.get(await optionsFor(visitor, page)));
    const { action, body } = visitor.fill(page, { response }, `^${passkeyFormOf(page).action}$`);
    const headers = { 'content-type': 'application/x-www-form-urlencoded', cookie: visitor.cookieFor(action) };
    const post = () => fetch(action, { method: 'POST', headers, body, redirect: 'manual' });
    const statuses = await Promise.all(Array.from({ length: 100 }, async () => (await post()).status));
    assert.equal(statuses.filter((status) => status === 303).length, 1, String(statuses));
    assert.notEqual((await post()).status, 303);
    assert.equal((await record(app, 'factor.proved')).length, 1);
  });

  test('somebody else’s passkey is no second step', async (t) => {
    const app = await startApp(t);
    const { client, person } = await withPasskey(app);
    const thief = await withPasskey(app);
    const { visitor, page } = await signInPage(app, client.client_id);
    const second = await signIn(visitor, page, person);
    const refused = await answer(visitor, second, thief.authenticator.get(await optionsFor(visitor, second)));
    assert.equal(refused.status, 400);
    assert.equal((await record(app, 'factor.failed'))[0]?.details['reason'], 'unknown_passkey');
  });
});

describe('A20: a forged registration is refused', () => {
  test('and adds nothing', async (t) => {
    const app = await startApp(t);
    const { visitor, person } = await signedIn(app);
    const page = await visitor.open('/account/security/passkey/new');
    const forged: Spoiled[] = [
      ...Object.entries(FORGED)
        .filter(([name]) => !/registration|key|handle/.test(name))
        .map(([, spoil]) => spoil()),
      { type: 'webauthn.get' },
    ];
    assert.equal(forged.length, 8);
    for (const spoiled of forged) {
      const response = createAuthenticator(app.url).create(await optionsFor(visitor, page), spoiled);
      const refused = await answer(visitor, page, response);
      assert.equal(refused.status, 400, JSON.stringify(spoiled));
      assert.match(refused.html, /The passkey wasn’t added/);
    }
    assert.deepEqual(await app.services.passkeys.of(person.id), []);
  });

  test('with a challenge that was spent, or given to somebody else', async (t) => {
    const app = await startApp(t);
    const [mine, theirs] = [await signedIn(app), await signedIn(app)];
    const path = '/account/security/passkey/new';
    const page = await mine.visitor.open(path);
    const foreign = await optionsFor(theirs.visitor, await theirs.visitor.open(path));
    const borrowed = createAuthenticator(app.url).create(foreign);
    assert.equal((await answer(mine.visitor, page, borrowed)).status, 400);
    const authenticator = createAuthenticator(app.url);
    const made = authenticator.create(await optionsFor(mine.visitor, page));
    assert.equal((await answer(mine.visitor, page, made)).status, 200);
    const again = await openFresh(mine.visitor, authenticator, path);
    assert.equal((await answer(mine.visitor, again, made)).status, 400);
  });

  test('with a passkey that an account has already, its own or another', async (t) => {
    const app = await startApp(t);
    const { visitor, authenticator, person } = await withPasskey(app);
    const page = await openFresh(visitor, authenticator, '/account/security/passkey/new');
    const options = await optionsFor(visitor, page);
    assert.deepEqual(
      options.excludeCredentials.map(({ id }) => id),
      [authenticator.id],
    );
    assert.equal((await answer(visitor, page, authenticator.create(options))).status, 400);
    const other = await signedIn(app, { person: await somebody(app) });
    const theirs = await other.visitor.open('/account/security/passkey/new');
    const taken = await answer(other.visitor, theirs, authenticator.create(await optionsFor(other.visitor, theirs)));
    assert.equal(taken.status, 400);
    assert.equal((await app.services.passkeys.of(person.id)).length, 1);
    assert.equal((await app.services.passkeys.of(other.person.id)).length, 0);
  });

  test('the handle is 64 random bytes, the same each time, and says nothing of the account', async (t) => {
    const app = await startApp(t);
    const { visitor, person } = await signedIn(app);
    const page = await visitor.open('/account/security/passkey/new');
    const [first, second] = [await optionsFor(visitor, page), await optionsFor(visitor, page)];
    assert.equal(Buffer.from(first.user.id, 'base64url').length, 64);
    assert.equal(first.user.id, second.user.id);
    assert.notEqual(first.challenge, second.challenge);
    assert.equal(Buffer.from(first.challenge, 'base64url').length, 32);
    assert.ok(!Buffer.from(first.user.id, 'base64url').includes(person.id));
    assert.deepEqual(first.authenticatorSelection, {
      ...{ residentKey: 'required', userVerification: 'required', requireResidentKey: true },
    });
  });
});

test('IDOR: nobody renames or removes somebody else’s passkey', async (t) => {
  const app = await startApp(t);
  const owner = await withPasskey(app);
  const thief = await withPasskey(app);
  const [passkey] = await app.services.passkeys.of(owner.person.id);
  const list = await openFresh(thief.visitor, thief.authenticator, '/account/security/passkey/new');
  const csrf = /name="csrf" value="([^"]+)"/.exec(list.html)?.[1] as string;
  for (const [path, form] of [
    ['rename', { csrf, name: 'Mine' }],
    ['remove', { csrf }],
  ] as const) {
    const response = await thief.visitor.request(`/account/security/passkey/${passkey?.id}/${path}`, {
      method: 'POST',
      body: new URLSearchParams(form),
    });
    assert.equal(response.status, 404, path);
  }
  const [still] = await app.services.passkeys.of(owner.person.id);
  assert.equal(still?.name, passkey?.name);
});

test('scripts need the token of their page, and come from nowhere else', async (t) => {
  const app = await startApp(t);
  const { visitor, client } = await signedIn(app);
  const pages = [await visitor.open('/account/security/passkey/new')];
  const flow = await signInPage(app, client.client_id);
  const tried = async (who: Visitor, page: Page, headers: Record<string, string>) => {
    const { options } = passkeyFormOf(page);
    return (await who.request(options, { method: 'POST', headers })).status;
  };
  for (const [who, page] of [
    [visitor, pages[0]],
    [flow.visitor, flow.page],
  ] as Array<[Visitor, Page]>) {
    const { csrf } = passkeyFormOf(page);
    const other = passkeyFormOf(who === visitor ? flow.page : (pages[0] as Page)).csrf;
    assert.equal(await tried(who, page, { 'x-csrf-token': csrf }), 200);
    assert.equal(await tried(who, page, {}), 403);
    assert.equal(await tried(who, page, { 'x-csrf-token': other }), 403);
    assert.equal(await tried(who, page, { 'x-csrf-token': csrf, 'sec-fetch-site': 'cross-site' }), 403);
    assert.equal(await tried(who, page, { 'x-csrf-token': csrf, origin: 'https://evil.example' }), 403);
  }
});

for (const [name, open] of Object.entries(DATABASES)) {
  describe(`a challenge on ${name}`, () => {
    let challenges: ReturnType<typeof createPasskeyChallenges>;
    let backend: Backend;
    before(async () => {
      backend = await open();
      challenges = createPasskeyChallenges({ artifacts: createSqlArtifacts(backend) });
    });
    after(() => backend.close());

    test('is redeemed by one of a hundred at once, for what it was given for', async (t: TestContext) => {
      const use = { purpose: 'second-step', bound: 'flow:a', accountId: 'b' } as const;
      const challenge = await challenges.issue(use);
      const wrong = [
        { ...use, purpose: 'add' },
        { ...use, bound: 'flow:x' },
        { ...use, accountId: 'x' },
        { ...use, accountId: undefined },
      ] as const;
      for (const each of wrong) assert.equal(await challenges.redeem(challenge, each), false);
      const answers = await Promise.all(Array.from({ length: 100 }, () => challenges.redeem(challenge, use)));
      assert.equal(answers.filter((won) => won).length, 1);
      const late = await challenges.issue(use);
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 5 * 60_000 + 1 });
      assert.equal(await challenges.redeem(late, use), false);
    });
  });
}
