/** Who is half-way in when the owner takes the account back must not go on: after "this wasn't me", a change of the
 * password, a reset and the end of every session. On both engines. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPERATOR } from '../src/audit/events.ts';
import { until } from './proofs/proof.ts';
import type { TestApp } from './support/app.ts';
import { type Enrolled, enrolled, oath, oathBefore, secondStep } from './support/factors.ts';
import { authorizationRequest, codeOf, FIREFOX, PASSWORD, signIn, somebody } from './support/flow.ts';
import { startOn } from './support/one-app.ts';
import { createVisitor, type Page, type Visitor } from './support/visitor.ts';

const NEXT = 'herons wait in the reeds';
const form = { 'content-type': 'application/x-www-form-urlencoded' };

for (const engine of ['SQLite', 'PostgreSQL']) {
  test(engine, async (t) => {
    const app = await startOn(t, engine, { env: { LATCHKEY_EMAIL_SIGN_IN: 'allowed' } });
    const firefox = () => createVisitor(app.url, { 'user-agent': FIREFOX });
    const codeTo = async (email: string, subject: RegExp) =>
      /\b[0-9]{6}\b/.exec((await app.mail(email, (mail) => subject.test(mail.subject))).text)?.[0] as string;

    async function reset({ email }: { email: string }): Promise<void> {
      const owner = firefox();
      const forgot = await owner.open((await owner.open('/account')).url.replace('/login/', '/forgot/'));
      const page = await owner.submit(forgot, { email }, '/forgot/');
      const code = await codeTo(email, /new password/);
      assert.match((await owner.submit(page, { code, password: NEXT }, '/reset/[^/]+$')).url, /\/login\//);
    }

    /** "This wasn't me", by the link of the mail about a sign-in in another browser. */
    async function disown({ email }: { email: string }): Promise<void> {
      const { text } = await app.mail(email, (mail) => /^New sign-in/.test(mail.subject));
      const owner = firefox();
      const page = await owner.open(/^http\S+\/security\/not-me\/\S+$/m.exec(text)?.[0] as string);
      assert.equal((await owner.submit(page, {}, '/not-me/')).status, 200);
    }

    const WAYS: Record<string, (person: Enrolled) => Promise<unknown>> = {
      'a change of the password': ({ id, password }) =>
        app.services.accounts.changePassword(id, { current: password, next: NEXT, origin: OPERATOR }),
      'a reset': reset,
      '"this wasn’t me"': disown,
      'the end of every session': ({ id }) => app.services.sessions.revokeAll(id),
    };

    /** Somebody whose sign-in in a new browser was told of by mail. */
    async function told(): Promise<Enrolled> {
      const person = await somebody(app);
      for (const browser of [firefox(), firefox()]) {
        const { url } = authorizationRequest(app, (await app.client()).client_id);
        assert.ok(codeOf(await signIn(browser, await browser.open(url), person)));
      }
      await app.mail(person.email, (mail) => /^New sign-in/.test(mail.subject));
      const { totp } = app.services;
      const setup = await totp.begin({ accountId: person.id, label: person.email, holder: 'test' });
      const proof = { accountId: person.id, code: await oathBefore(setup.secret), name: 'Phone', holder: 'test' };
      return { ...person, secret: setup.secret, factorId: await totp.confirm(proof, { by: OPERATOR }) };
    }

    for (const [way, takeBack] of Object.entries(WAYS)) {
      await t.test(`${way} ends the second step, a mailed code, and a sign-in that waits for its browser`, async () => {
        const person = await told();
        const half = await secondStep(app, person);
        assert.match(half.page.url, /\/totp$/);
        const mailed = await byMail(app, firefox(), person.email);
        const code = await codeTo(person.email, /sign-in code/);
        const waiting = await finished(app, person);

        await takeBack(person);

        const { action, body } = half.visitor.fill(half.page, { code: oath(person.secret, 1) }, '/totp$');
        const end = await half.visitor.open(action, { method: 'POST', headers: form, body });
        assert.deepEqual([end.status, codeOf(end)], [410, null], 'the second step');
        const typed = await mailed.visitor.submit(mailed.page, { code }, '/email/code$');
        assert.ok(!/\/(totp|callback)/.test(new URL(typed.url).pathname), `a mailed code: ${typed.url}`);
        const resumed = await waiting.visitor.open(waiting.resume);
        assert.equal(codeOf(resumed), null, 'a sign-in that was finished but not carried on');
        assert.match(resumed.html, /name="password"/);
        assert.match((await waiting.visitor.open('/account')).url, /\/login\//, 'and it is no session');
      });
    }

    await t.test('a sign-in that 0.1.0 finished goes on only where it surely came after the change', async () => {
      const person = await enrolled(app);
      const change = { current: person.password, next: NEXT, origin: OPERATOR };
      const before = await finished(app, person);
      await withoutTime(app, before.resume);
      await app.services.accounts.changePassword(person.id, change);
      const resumed = await before.visitor.open(before.resume);
      assert.equal(codeOf(resumed), null);
      assert.match(resumed.html, /name="password"/);

      const second = Math.floor(Date.now() / 1000);
      await until('the next second', async () => Math.floor(Date.now() / 1000) > second);
      const later = await finished(app, { ...person, password: NEXT }, 1);
      await withoutTime(app, later.resume);
      assert.ok(codeOf(await later.visitor.open(later.resume)));
    });

    await t.test('whoever knows the new password goes on in the flow of the reset', async () => {
      const person = await enrolled(app);
      await reset(person);
      const { page, visitor } = await secondStep(app, { ...person, password: NEXT });
      assert.ok(codeOf(await visitor.submit(page, { code: oath(person.secret) }, '/totp$')));
    });

    await t.test(
      'a browser that was remembered is asked after a reset, and after the way back from deletion',
      async () => {
        const { deletion, accounts, remembered } = app.services;
        for (const end of [
          reset,
          async ({ id }: Enrolled) => {
            await deletion.close(await accounts.existing(id), OPERATOR);
            assert.deepEqual(await remembered.list(id), []);
            await deletion.restore(id, OPERATOR);
          },
        ]) {
          const person = await enrolled(app);
          const { visitor, page } = await secondStep(app, person);
          assert.ok(codeOf(await visitor.submit(page, { code: oath(person.secret), remember: 'yes' }, '/totp$')));
          assert.ok(codeOf((await secondStep(app, person, { visitor, params: { prompt: 'login' } })).page));
          assert.equal((await remembered.list(person.id)).length, 1);
          await end(person);
          const password = end === reset ? NEXT : PASSWORD;
          const again = await secondStep(app, { ...person, password }, { visitor });
          assert.match(again.page.url, /\/totp$/);
        }
      },
    );
  });
}

async function byMail(app: TestApp, visitor: Visitor, email: string): Promise<{ visitor: Visitor; page: Page }> {
  const { url } = authorizationRequest(app, (await app.client()).client_id);
  const { action, body } = visitor.fill(await visitor.open(url), { email }, '^/login/[^/]+$');
  return { visitor, page: await visitor.open(`${action}/email`, { method: 'POST', headers: form, body }) };
}

/** Proved in full; the browser has not followed the redirect yet. */
async function finished(app: TestApp, person: Enrolled, step = 0): Promise<{ visitor: Visitor; resume: string }> {
  const { visitor, page } = await secondStep(app, person);
  const { action, body } = visitor.fill(page, { code: oath(person.secret, step) }, '/totp$');
  const answer = await visitor.request(action, { method: 'POST', headers: form, body });
  assert.equal(answer.status, 303);
  return { visitor, resume: answer.headers.get('location') as string };
}

/** As 0.1.0 stored it: only the second of the sign-in is known. */
async function withoutTime(app: TestApp, resume: string): Promise<void> {
  const { artifacts } = app.services;
  const uid = new URL(resume).pathname.split('/').at(-1) as string;
  const { payload } = (await artifacts.find('Interaction', uid)) as { payload: Record<string, unknown> };
  const { login } = payload['result'] as { login: { at?: number; ts: number } };
  assert.ok(login.at && login.ts);
  delete login.at;
  await artifacts.upsert('Interaction', uid, payload, Date.now() + 60_000, {});
}
