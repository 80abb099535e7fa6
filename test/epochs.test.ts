/** A sign-in or a change that began before everything of the account was ended comes to nothing, however late that was:
 * each test lets the end be stored in the middle of what it overtakes. On both engines. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATOR } from '../src/audit/events.ts';
import { apiUser } from './support/account-api.ts';
import type { Mail, TestApp } from './support/app.ts';
import { type Enrolled, enrolled, oath, oathBefore, secondStep } from './support/factors.ts';
import { authorizationRequest, codeOf, FIREFOX, type Person, signedIn, signIn, somebody } from './support/flow.ts';
import { startOn } from './support/one-app.ts';
import { createVisitor, type Page, type Visitor } from './support/visitor.ts';

const NEXT = 'herons wait in the reeds';
const THIEF = 'storks stand on the roof';
type Work = (...args: never[]) => Promise<unknown>;

/** The next call of `name` is followed (or, with `before`, waited for) by `end` before its caller hears of it. */
function meanwhile(object: object, name: string, end: () => Promise<unknown>, { before = false } = {}): void {
  const parts = object as Record<string, Work>;
  const work = parts[name] as Work;
  parts[name] = async (...args) => {
    parts[name] = work;
    if (before) await end();
    const result = await work(...args);
    if (!before) await end();
    return result;
  };
}

for (const engine of ['SQLite', 'PostgreSQL']) {
  test(engine, async (t) => {
    const app = await startOn(t, engine, { env: { LATCHKEY_EMAIL_SIGN_IN: 'allowed' } });
    const { accounts, sessions, passwords, totp } = app.services as TestApp['services'] & { passwords: object };
    const change = ({ id, password }: Person, next = NEXT) =>
      accounts.changePassword(id, { current: password, next, origin: OPERATOR });
    const valid = ({ email }: Person, password: string) =>
      accounts.authenticate({ email, password }).then(
        () => true,
        () => false,
      );
    const firefox = () => createVisitor(app.url, { 'user-agent': FIREFOX });
    const begun = async (visitor: Visitor) =>
      visitor.open(authorizationRequest(app, (await app.client()).client_id).url);

    async function nobodyIn(visitor: Visitor, page: Page, { id }: Person, what: string): Promise<void> {
      assert.equal(codeOf(page), null, what);
      assert.match((await visitor.open('/account')).url, /\/login\//, what);
      assert.deepEqual(await sessions.list(id), [], what);
      assert.doesNotMatch(visitor.cookieFor(`${app.url}/`), /latchkey_device=/, `${what}: no browser that is known`);
    }

    await t.test('a sign-in by the password of before a change that was stored during its Argon2', async () => {
      const person = await somebody(app);
      const visitor = firefox();
      const page = await begun(visitor);
      meanwhile(passwords, 'verify', () => change(person));
      await nobodyIn(visitor, await signIn(visitor, page, person), person, 'the old password');
      const again = firefox();
      assert.ok(codeOf(await signIn(again, await begun(again), { ...person, password: NEXT })));
    });

    await t.test('such a sign-in stands nowhere as one that succeeded, and nobody is told of it', async () => {
      const { person } = await signedIn(app);
      const visitor = firefox();
      const page = await begun(visitor);
      meanwhile(passwords, 'verify', () => change(person));
      const refused = await signIn(visitor, page, person);
      await nobodyIn(visitor, refused, person, 'the old password');
      assert.equal(refused.status, 410);
      assert.match(refused.html, /signed out everywhere/);
      const again = firefox();
      assert.ok(codeOf(await signIn(again, await begun(again), { ...person, password: NEXT })));
      const isNotice = ({ to, subject }: Mail) => to === person.email && /^New sign-in/.test(subject);
      await app.mail(person.email, isNotice);
      assert.equal(app.mails().filter(isNotice).length, 1);
      const { items } = await app.services.audit.list({ account: person.id, type: 'sign_in.succeeded' }, 9);
      assert.equal(items.length, 2);
    });

    await t.test('the same with a second step: it is not asked', async () => {
      const person = await enrolled(app);
      const visitor = firefox();
      const page = await begun(visitor);
      meanwhile(passwords, 'verify', () => change(person));
      const step = await signIn(visitor, page, person);
      assert.equal(step.status, 410);
      const path = new URL(page.url).pathname;
      assert.equal((await visitor.open(`${path}/totp`)).status, 410);
    });

    await t.test('a second step whose account was read after the end', async () => {
      const person = await enrolled(app);
      const { visitor, page } = await secondStep(app, person);
      meanwhile(app.services.steps, 'find', () => change(person));
      const done = await visitor.submit(page, { code: oath(person.secret) }, '/totp$');
      await nobodyIn(visitor, done, person, 'the second step');
    });

    await t.test('a mailed code that was right a moment before a change', async () => {
      const person = await somebody(app);
      const visitor = firefox();
      const form = { 'content-type': 'application/x-www-form-urlencoded' };
      const { action, body } = visitor.fill(await begun(visitor), { email: person.email }, '^/login/[^/]+$');
      const page = await visitor.open(`${action}/email`, { method: 'POST', headers: form, body });
      const mail = await app.mail(person.email, ({ subject }) => /sign-in code/.test(subject));
      const code = /\b[0-9]{6}\b/.exec(mail.text)?.[0] as string;
      meanwhile(app.services.mailedSignIn, 'prove', () => change(person));
      await nobodyIn(visitor, await visitor.submit(page, { code }, '/email/code$'), person, 'the mailed code');
    });

    await t.test('A10: a finished sign-in that was read a moment before a change', async () => {
      const person = await somebody(app);
      const visitor = firefox();
      const page = await begun(visitor);
      const { byId } = accounts;
      // Asked when the protocol takes the result of the interaction.
      Object.assign(accounts, {
        async byId(id: string) {
          Object.assign(accounts, { byId });
          const account = await byId(id);
          await change(person);
          return account;
        },
      });
      const done = await signIn(visitor, page, person);
      assert.equal(done.status, 410);
      assert.match(done.html, /signed out everywhere/);
      await nobodyIn(visitor, done, person, 'the result');
    });

    await t.test('two ends in one millisecond are two epochs', async (part) => {
      const person = await somebody(app);
      part.mock.timers.enable({ apis: ['Date'], now: Date.now() });
      const epochs = new Set<number | undefined>();
      for (let time = 0; time < 3; time += 1) {
        await sessions.revokeAll(person.id);
        epochs.add((await accounts.byId(person.id))?.signedOutAt);
      }
      assert.equal(epochs.size, 3);
    });

    await t.test(
      'of many changes of one password at once one is made, and it is whose caller was told so',
      async () => {
        const person = await somebody(app);
        const nexts = Array.from({ length: 6 }, (_, index) => `${NEXT}, the ${index}th`);
        const done = await Promise.allSettled(nexts.map((next) => change(person, next)));
        const won = nexts.filter((_, index) => done[index]?.status === 'fulfilled');
        assert.equal(won.length, 1);
        assert.ok(await valid(person, won[0] as string));
        for (const { reason } of done.filter((each) => each.status === 'rejected'))
          assert.equal(reason.code, 'invalid_credentials');
      },
    );

    await t.test(
      'a change of the password overtaken by the owner’s is refused, and their session goes on',
      async () => {
        const owner = await apiUser(app);
        const { person } = owner;
        const json = { current_password: person.password, new_password: THIEF };
        meanwhile(passwords, 'hash', async () => {
          const next = { current_password: person.password, new_password: NEXT };
          assert.equal((await owner.api('POST /api/v1/account/password', { json: next })).status, 204);
        });
        const thief = await apiUser(app, { person, visitor: createVisitor(app.url) });
        const refused = await thief.api('POST /api/v1/account/password', { json });
        assert.ok(refused.status === 400 || refused.status === 401, String(refused.status));
        assert.deepEqual([await valid(person, NEXT), await valid(person, THIEF)], [true, false]);
        assert.equal((await owner.api('GET /api/v1/account')).status, 200);
      },
    );

    await t.test('a rehash neither hinders a change nor undoes it', async () => {
      const person = await somebody(app);
      const { db } = app.services;
      meanwhile(passwords, 'hash', async () => {
        const same = await db.one<{ password_hash: string }>('SELECT * FROM accounts WHERE id = ?', person.id);
        await db.run('UPDATE accounts SET password_hash = ? WHERE id = ?', `${same?.password_hash} `, person.id);
      });
      await change(person);
      assert.ok(await valid(person, NEXT));
    });

    await t.test('who was signed out in the meantime changes neither factors nor others’ sessions', async () => {
      const person = await somebody(app);
      const visitor = firefox();
      await signIn(visitor, await visitor.open('/account'), person);
      const [own] = await sessions.list(person.id);
      const kept = { session: own?.id };
      await sessions.revokeAll(person.id);
      const setup = await totp.begin({ accountId: person.id, label: person.email, holder: 'test' });
      const proof = { accountId: person.id, code: await oathBefore(setup.secret), name: 'Phone', holder: 'test' };
      for (const work of [
        () => totp.confirm(proof, { by: OPERATOR, kept }),
        () => app.services.recoveryCodes.create(person.id, { by: OPERATOR, kept }),
        () => sessions.revokeAll(person.id, kept),
        () =>
          accounts.changePassword(person.id, { current: person.password, next: THIEF, keep: kept, origin: OPERATOR }),
      ])
        await assert.rejects(work, { code: 'unauthenticated' });
      assert.deepEqual(await app.services.factors.kindsOf(person.id), []);
      assert.ok(await valid(person, person.password));
    });

    await t.test('a factor that is set up on the way in is not kept for who was signed out meanwhile', async () => {
      const person: Person & Partial<Enrolled> = await somebody(app);
      const flow = 'a flow of no browser';
      const epoch = (await accounts.existing(person.id)).signedOutAt;
      const step = { accountId: person.id, amr: ['pwd'], authTime: Math.floor(Date.now() / 1000), epoch };
      await app.services.steps.put(flow, step, Date.now() + 60_000);
      const setup = await totp.begin({ accountId: person.id, label: person.email, holder: flow });
      const proof = { accountId: person.id, code: await oathBefore(setup.secret), name: 'Phone', holder: flow };
      await change(person);
      // Stored by a request that was under way.
      await app.services.steps.put(flow, step, Date.now() + 60_000);
      const refused = totp.confirm(proof, { by: OPERATOR, kept: { flow } });
      await assert.rejects(refused, { code: 'interaction_expired' });
      assert.equal(await app.services.steps.find(flow), undefined);
    });
  });
}
