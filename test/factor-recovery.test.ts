/** Who lost every factor gets rid of them by password, mailed code and a waiting time; everybody whom it concerns is told
 * and can stop it (SECURITY D3). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { decodeJwt } from 'jose';
import { SYSTEM } from '../src/audit/events.ts';
import { startApp, type TestApp } from './support/app.ts';
import { createAuthenticator } from './support/authenticator.ts';
import {
  agePassword,
  begun,
  codeFor,
  DAY_MS,
  LATCHKEY_FACTOR_RECOVERY_WAIT,
  linkIn,
  lost,
  moveBack,
  recoveryOf,
  settled,
  WAIT_MS,
} from './support/factor-recovery.ts';
import { enrol, enrolled, inAccount, oath, secondStep } from './support/factors.ts';
import { authorizationRequest, CALLBACK, codeOf, FIREFOX, signIn, token } from './support/flow.ts';
import { addPasskey, answer, optionsFor, signInPage } from './support/passkeys.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { createVisitor } from './support/visitor.ts';

const ON = { LATCHKEY_FACTOR_RECOVERY_WAIT, LATCHKEY_EMAIL_SIGN_IN: 'allowed' };
const typesOf = async ({ services }: TestApp, id: string) =>
  (await services.audit.list({ account: id }, 100)).items.map(({ type }) => type);
const stopsOf = async ({ services }: TestApp, id: string) =>
  (await services.audit.list({ account: id, type: 'factor_recovery.stopped' }, 10)).items.map(
    ({ details }) => details['reason'],
  );
const factorsOf = async (app: TestApp, id: string) => (await app.services.factors.of(id)).length;
const subjectTo = (app: TestApp, to: string, subject: RegExp) => app.mail(to, (mail) => subject.test(mail.subject));

function contract(engine: string, env: () => Promise<Record<string, string>>): void {
  describe(engine, () => {
    let app: TestApp;
    const ends: Array<() => Promise<void>> = [];
    before(async () => {
      const context = { after: (end: () => Promise<void>) => ends.push(end) } as never;
      app = await startApp(context, { env: { ...ON, ...(await env()) } });
    });
    after(async () => {
      for (const end of ends) await end();
    });

    test('password and mailed code begin the wait, both again end it: factors, sessions and grants are gone', async () => {
      const person = await settled(app);
      const live = await inAccount(app, person);
      await addPasskey(live, createAuthenticator(app.url));
      await app.services.recoveryCodes.create(person.id, { by: SYSTEM });
      const { visitor } = await begun(app, person);
      const row = await recoveryOf(app, person);
      assert.equal((row?.endsAt ?? 0) - (row?.requestedAt ?? 0), WAIT_MS);
      assert.match(
        (await live.open('/account')).html,
        /Your second steps can be removed from/,
        'a live session shows it',
      );

      await moveBack(app, person, WAIT_MS - 60_000);
      const early = await lost(app, person);
      assert.match(early.page.html, /The waiting time runs/, 'a minute before the end');
      assert.throws(() => early.visitor.fill(early.page, {}, '/lost$'), /no form/);
      const half = await secondStep(app, person, { visitor });
      assert.match(half.page.html, /all your second steps are lost\. From/, 'each attempt says when it ends');
      assert.equal(await factorsOf(app, person.id), 3);

      await moveBack(app, person, 61_000);
      const request = await lost(app, person);
      const { page, code } = await codeFor(app, person, request);
      assert.equal(await factorsOf(app, person.id), 3, 'nothing goes before the code');
      const done = await request.visitor.submit(page, { code }, '/lost/code$');
      const grant = { grant_type: 'authorization_code', code: codeOf(done) as string, redirect_uri: CALLBACK };
      const { body } = await token(app, request.client, { ...grant, code_verifier: request.verifier });
      const claims = decodeJwt(body.id_token as string);
      assert.deepEqual([claims['acr'], claims['amr']], ['urn:latchkey:pwd', ['pwd', 'email']], 'what was proved');
      assert.equal(await factorsOf(app, person.id), 0);
      assert.match((await live.open('/account')).url, /\/login\//, 'the other session has ended');
      assert.ok((await typesOf(app, person.id)).includes('factor_recovery.finished'));
      assert.match((await subjectTo(app, person.email, /were removed/)).text, /24 hours/);
      assert.equal(await recoveryOf(app, person), null);

      const again = await signIn(visitor, await visitor.open('/account'), person);
      assert.equal(new URL(again.url).pathname, '/account', 'the password is enough now');
    });

    test('of parallel finishers one removes, and of parallel beginners one begins', async () => {
      const person = await settled(app);
      const flows: Array<Awaited<ReturnType<typeof lost>> & Awaited<ReturnType<typeof codeFor>>> = [];
      for (let n = 0; n < 3; n += 1) {
        const at = await lost(app, person);
        flows.push({ ...at, ...(await codeFor(app, person, at)) });
      }
      const send = (all: typeof flows) =>
        Promise.all(all.map(({ visitor, page, code }) => visitor.submit(page, { code }, '/lost/code$')));
      for (const page of await send(flows)) assert.match(page.html, /The waiting time runs/);
      const count = async (type: string) => (await typesOf(app, person.id)).filter((each) => each === type).length;
      assert.equal(await count('factor_recovery.started'), 1);

      await moveBack(app, person, WAIT_MS + 1);
      // The quarter of an hour that bounds how many codes go to an address.
      await app.services.db.run(
        'UPDATE challenges SET created_at = created_at - 1000000 WHERE account_id = ?',
        person.id,
      );
      const finishing: typeof flows = [];
      for (let n = 0; n < 3; n += 1) {
        const at = await lost(app, person);
        finishing.push({ ...at, ...(await codeFor(app, person, at)) });
      }
      // The end of all sessions ends the sign-ins that are half-way, too.
      const [through, ...others] = (await send(finishing)).toSorted((a, b) => a.status - b.status);
      assert.ok(codeOf(through as (typeof others)[number]), `${through?.url} ${through?.status}`);
      for (const page of others) assert.ok(codeOf(page) || page.status === 410, `${page.url} ${page.status}`);
      assert.equal(await count('factor_recovery.finished'), 1);
      assert.equal(await factorsOf(app, person.id), 0);
    });

    test('the link of the mail stops it without a sign-in, by its button, once', async () => {
      const person = await settled(app);
      const { link } = await begun(app, person);
      const stranger = createVisitor(app.url);
      const page = await stranger.open(link);
      assert.match(page.html, /Keep your second steps\?/);
      assert.ok(await recoveryOf(app, person), 'a mail scanner that opens it stops nothing');
      assert.equal((await stranger.submit(page, { csrf: 'x' }, 'keep-factors')).status, 403);
      for (const wrong of [
        `${link}x`,
        `${link.slice(0, -1)}${link.endsWith('A') ? 'B' : 'A'}`,
        link.split('.')[0] as string,
      ])
        assert.equal((await stranger.open(wrong)).status, 400, wrong);
      assert.ok(await recoveryOf(app, person));
      const answers = await Promise.all([1, 2, 3].map(() => stranger.submit(page, {}, 'keep-factors')));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400, 400]);
      assert.equal(await recoveryOf(app, person), null);
      assert.deepEqual(await stopsOf(app, person.id), ['stopped_by_link']);
      assert.equal((await stranger.open(link)).status, 400);
      await moveBack(app, person, WAIT_MS + 1);
      assert.match((await lost(app, person)).page.html, /Have you lost every second step/);
      await subjectTo(app, person.email, /second steps of your Latchkey account stay/);
    });

    test('reminds half-way, and lapses a week after its end', async () => {
      const person = await settled(app);
      await begun(app, person);
      const reminders = () => app.mails().filter(({ to, subject }) => to === person.email && /^Reminder/.test(subject));
      await app.services.factorRecovery.sweep(100);
      await moveBack(app, person, WAIT_MS / 2 + 1);
      await Promise.all([1, 2, 3].map(() => app.services.factorRecovery.sweep(100)));
      const reminder = await subjectTo(app, person.email, /^Reminder/);
      await app.services.factorRecovery.sweep(100);
      assert.equal(reminders().length, 1);
      await moveBack(app, person, WAIT_MS / 2 + 7 * DAY_MS);
      assert.equal(await recoveryOf(app, person), null, 'not even before the sweep');
      await app.services.factorRecovery.sweep(100);
      assert.deepEqual(await stopsOf(app, person.id), ['lapsed']);
      assert.equal((await createVisitor(app.url).open(linkIn(reminder))).status, 400);
      assert.equal(await factorsOf(app, person.id), 1);
    });
  });
}

contract('on SQLite', async () => ({}));
describe('with PostgreSQL', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());
  contract('on PostgreSQL', async () => ({ LATCHKEY_DATABASE_URL: await postgres.database({ prepared: 'start' }) }));
});

describe('a waiting time', () => {
  let app: TestApp;
  const ends: Array<() => Promise<void>> = [];
  before(async () => {
    app = await startApp({ after: (end: () => Promise<void>) => ends.push(end) } as never, { env: ON });
  });
  after(async () => {
    for (const end of ends) await end();
  });
  const firefox = () => createVisitor(app.url, { 'user-agent': FIREFOX });

  test('is not begun with a young password, from whichever door it came', async () => {
    const person = await enrolled(app);
    for (const age of [0, WAIT_MS - 60_000]) {
      await agePassword(app, person, age);
      const { visitor, page } = await lost(app, person);
      assert.match(page.html, /Your password is newer than 3 days/);
      assert.throws(() => visitor.fill(page, {}, '/lost$'), /no form/);
      const csrf = /name="csrf" value="([^"]+)"/.exec(page.html)?.[1] as string;
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const forced = await visitor.open(page.url, {
        method: 'POST',
        headers,
        body: new URLSearchParams({ csrf }).toString(),
      });
      assert.equal(forced.status, 409);
    }
    await agePassword(app, person, WAIT_MS + 1000);
    const at = await lost(app, person);
    const { page, code } = await codeFor(app, person, at);
    await agePassword(app, person, 0);
    const late = await at.visitor.submit(page, { code }, '/lost/code$');
    assert.match(late.html, /Your password is newer than 3 days/, 'reset between code and form');
    assert.equal(await recoveryOf(app, person), null);
  });

  test('is offered neither after a mailed code alone, nor to an old session, nor to a wrong password', async () => {
    const person = await settled(app);
    const visitor = firefox();
    const page = await visitor.open('/account');
    const { action, body } = visitor.fill(page, { email: person.email, password: '' }, '^/login/[^/]+$');
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const waiting = await visitor.open(`${action}/email`, { method: 'POST', headers, body });
    const code = /^ {4}(\d{6})$/m.exec((await subjectTo(app, person.email, /sign-in code/)).text)?.[1] as string;
    const asked = await visitor.submit(waiting, { code }, '/email/code$');
    assert.match(asked.url, /\/totp$/);
    assert.doesNotMatch(asked.html, /\/lost"/);
    assert.match((await visitor.open(asked.url.replace('/totp', '/lost'))).url, /\/totp$/);
    assert.match((await visitor.open(asked.url.replace('/totp', '/lost/code'))).url, /\/totp$/);

    const wrong = await secondStep(app, { ...person, password: 'not the right one' });
    assert.equal((await wrong.visitor.open(`${wrong.page.url}/lost`)).status, 410);

    // A browser that skips the second step has a session of one factor; long after, an application asks for two.
    const browser = await secondStep(app, person);
    assert.ok(
      codeOf(await browser.visitor.submit(browser.page, { code: oath(person.secret), remember: 'yes' }, '/totp$')),
    );
    const skipped = await secondStep(app, person, { visitor: browser.visitor, params: { prompt: 'login' } });
    assert.ok(codeOf(skipped.page));
    const strong = () =>
      browser.visitor.open(authorizationRequest(app, browser.client.client_id, { acr_values: 'urn:latchkey:mfa' }).url);
    assert.match((await strong()).html, /\/lost"/, 'the password was typed just now');
    const { url } = await strong();
    await app.services.db.run('UPDATE sign_in_steps SET auth_time = auth_time - 601 WHERE account_id = ?', person.id);
    for (const path of [url, url.replace('/totp', '/lost'), url.replace('/totp', '/lost/code')]) {
      const old = await browser.visitor.open(path);
      assert.match(old.url, /\/totp$/);
      assert.doesNotMatch(old.html, /\/lost"/);
    }
  });

  test('has a code of five tries, counted for the account, and a code of before a stop begins nothing', async () => {
    const person = await settled(app);
    const at = await lost(app, person);
    const { page, code } = await codeFor(app, person, at);
    const wrong = code === '000000' ? '111111' : '000000';
    for (let n = 0; n < 5; n += 1) await at.visitor.submit(page, { code: wrong }, '/lost/code$');
    const spent = await at.visitor.submit(page, { code }, '/lost/code$');
    assert.equal(spent.status, 400, 'nor the right one after them');
    assert.equal(await recoveryOf(app, person), null);

    const other = await settled(app);
    const { link } = await begun(app, other);
    await moveBack(app, other, WAIT_MS + 1);
    const ready = await lost(app, other);
    const finishing = await codeFor(app, other, ready);
    const stranger = createVisitor(app.url);
    await stranger.submit(await stranger.open(link), {}, 'keep-factors');
    const late = await ready.visitor.submit(finishing.page, { code: finishing.code }, '/lost/code$');
    assert.notEqual(late.status, 200);
    assert.equal(await recoveryOf(app, other), null);
    assert.equal(await factorsOf(app, other.id), 1);
  });

  test('is stopped by a factor that is used, by the button of a live session, and says so', async () => {
    const person = await settled(app);
    await begun(app, person);
    await inAccount(app, person);
    assert.deepEqual(await stopsOf(app, person.id), ['factor_used']);
    assert.match(
      (await subjectTo(app, person.email, /second steps of your Latchkey account stay/)).text,
      /they aren’t lost/,
    );

    const other = await settled(app);
    const live = await inAccount(app, other);
    await begun(app, other);
    const page = await live.open('/account/sessions');
    assert.equal((await live.submit(page, { csrf: 'x' }, 'keep-factors$')).status, 403);
    const kept = await live.submit(page, {}, 'keep-factors$');
    assert.match(kept.html, /Your second steps stay/);
    assert.doesNotMatch(kept.html, /keep-factors/);
    assert.deepEqual(await stopsOf(app, other.id), ['stopped_signed_in']);

    const third = await settled(app);
    const [code = ''] = await app.services.recoveryCodes.create(third.id, { by: SYSTEM });
    const authenticator = createAuthenticator(app.url);
    await addPasskey(await inAccount(app, third), authenticator);
    await begun(app, third);
    const step = await secondStep(app, third);
    const typed = await step.visitor.open(step.page.url.replace('/passkey', '/recovery'));
    assert.ok(codeOf(await step.visitor.submit(typed, { code }, '/recovery$')));
    assert.deepEqual(await stopsOf(app, third.id), ['factor_used']);

    await begun(app, third);
    const first = await signInPage(app, step.client.client_id);
    const options = await optionsFor(first.visitor, first.page);
    await answer(first.visitor, first.page, authenticator.get(options));
    assert.equal(await recoveryOf(app, third), null, 'a passkey as the whole sign-in');
  });

  test('ends with a new password, another address, an operator’s reset, a disabled account', async () => {
    const { accounts, factors, recovery, emailChange } = app.services;
    const ways: Array<[string, (id: string, email: string) => Promise<unknown>]> = [
      ['factors_changed', (id) => factors.reset(id, undefined, SYSTEM)],
      ['account_disabled', (id) => accounts.disable(id)],
      [
        'password_reset',
        async (_id, email) => {
          await recovery.start({ flow: `reset ${email}`, email, locale: 'en' });
          const { text } = await subjectTo(app, email, /new password/);
          const code = /\b\d{6}\b/.exec(text)?.[0] as string;
          await recovery.reset({ flow: `reset ${email}`, code, password: 'four quiet herons waiting' });
        },
      ],
      [
        'email_changed',
        async (id, email) => {
          const account = await accounts.existing(id);
          const next = `next.${email}`;
          await emailChange.start(account, { flow: 'test', email: next, locale: 'en', by: SYSTEM });
          const code = /\b\d{6}\b/.exec((await app.mail(next)).text)?.[0] as string;
          await emailChange.confirm(account, { flow: 'test', code, keep: {}, by: SYSTEM });
        },
      ],
    ];
    for (const [reason, act] of ways) {
      const person = await settled(app);
      await begun(app, person);
      await act(person.id, person.email);
      assert.equal(await recoveryOf(app, person), null, reason);
      assert.deepEqual(await stopsOf(app, person.id), [reason]);
    }
  });

  test('after the removal a new factor can be set up, and for a day nothing is taken further', async () => {
    const person = await settled(app);
    await begun(app, person);
    await moveBack(app, person, WAIT_MS + 1);
    const at = await lost(app, person);
    const { page, code } = await codeFor(app, person, at);
    assert.ok(codeOf(await at.visitor.submit(page, { code }, '/lost/code$')));
    const { accounts, deletion, emailChange, factors, db } = app.services;
    const account = await accounts.existing(person.id);
    const { factorId, secret } = await enrol(app, person);
    const live = await inAccount(app, { ...person, secret, factorId });
    const refused = await live.submit(await live.open('/account/delete'), {}, '^/account/delete$');
    assert.match(refused.html, /possible again in 24 hours/);
    const change = await live.submit(await live.open('/account/email'), { email: 'thief@example.com' }, '/email$');
    assert.match(change.html, /possible again in 24 hours/);
    await assert.rejects(factors.remove(person.id, factorId, { by: SYSTEM }), /possible again/);
    const half = await secondStep(app, person);
    assert.doesNotMatch(half.page.html, /\/lost"/, 'nor does another wait begin');

    await db.run('UPDATE factor_recoveries SET finished_at = finished_at - ? WHERE account_id = ?', DAY_MS, person.id);
    await factors.remove(person.id, factorId, { by: SYSTEM });
    await emailChange.start(account, { flow: 'test', email: 'own@example.com', locale: 'en', by: SYSTEM });
    assert.equal(typeof (await deletion.close(account, SYSTEM)), 'number');
    await app.services.factorRecovery.sweep(100);
    assert.equal(await db.one('SELECT 1 AS there FROM factor_recoveries WHERE account_id = ?', person.id), undefined);
  });

  test('leads who has to have a factor to set one up', async () => {
    const person = await settled(app);
    await begun(app, person);
    await moveBack(app, person, WAIT_MS + 1);
    const at = await lost(app, person, { acr_values: 'urn:latchkey:mfa' });
    const { page, code } = await codeFor(app, person, at);
    const next = await at.visitor.submit(page, { code }, '/lost/code$');
    assert.match(next.url, /\/protect$/);
  });

  test('is told to the address that the account had until lately, and prompt=none sees nothing of it', async () => {
    const person = await settled(app);
    const { accounts, emailChange } = app.services;
    const next = `moved.${person.email}`;
    await emailChange.start(await accounts.existing(person.id), {
      flow: 'move',
      email: next,
      locale: 'en',
      by: SYSTEM,
    });
    const code = /\b\d{6}\b/.exec((await app.mail(next)).text)?.[0] as string;
    await emailChange.confirm(await accounts.existing(person.id), { flow: 'move', code, keep: {}, by: SYSTEM });
    const moved = { ...person, email: next };
    const { link } = await begun(app, moved);
    const former = linkIn(await subjectTo(app, person.email, /wants to remove/));
    assert.notEqual(former, link);
    const silent = firefox();
    const { client_id } = await app.client();
    await moveBack(app, moved, WAIT_MS + 1);
    const answer = await silent.open(authorizationRequest(app, client_id, { prompt: 'none' }).url);
    assert.match(answer.url, /error=login_required/);
    assert.ok(await recoveryOf(app, moved));
    await silent.submit(await silent.open(former), {}, 'keep-factors');
    assert.equal(await recoveryOf(app, moved), null);
    assert.equal((await silent.open(link)).status, 400, 'the other link has gone with it');
    await begun(app, moved);
    assert.equal((await silent.open(link)).status, 400, 'for good');
  });

  test('is in the export of the person and in the metrics, and goes with the account', async () => {
    const person = await settled(app);
    await begun(app, person);
    const all = await app.services.personalData.of(await app.services.accounts.existing(person.id), SYSTEM);
    const part = all['factor_recovery'] as Record<string, string>;
    assert.ok(Date.parse(part['ends_at'] as string) - Date.parse(part['requested_at'] as string) === WAIT_MS);
    await app.services.deletion.remove(person.id);
    const { db } = app.services;
    assert.equal(await db.one('SELECT 1 AS there FROM factor_recoveries WHERE account_id = ?', person.id), undefined);
    const metrics = await (await fetch(`${app.url}/metrics`)).text();
    for (const outcome of ['started', 'stopped', 'finished'])
      assert.match(metrics, new RegExp(`latchkey_factor_recoveries_total\\{outcome="${outcome}"\\} [1-9]`));
  });
});

test('a time of less than a day is refused with words', async (t) => {
  const env = { LATCHKEY_FACTOR_RECOVERY_WAIT: '23h' };
  await assert.rejects(startApp(t, { env }), /LATCHKEY_FACTOR_RECOVERY_WAIT[\s\S]*is less than 24h[\s\S]*or 0/);
});

test('0, the default, offers nothing, and ends what was begun before', async (t) => {
  const app = await startApp(t);
  const person = await settled(app);
  const { visitor, page } = await secondStep(app, person);
  assert.doesNotMatch(page.html, /\/lost"/);
  assert.match((await visitor.open(page.url.replace('/totp', '/lost'))).url, /\/totp$/);
  const { db, factorRecovery } = app.services;
  const sql = 'INSERT INTO factor_recoveries (id, account_id, requested_at, ends_at) VALUES (?, ?, ?, ?)';
  await db.run(sql, 'r1', person.id, Date.now() - WAIT_MS, Date.now() - 1);
  assert.equal(await recoveryOf(app, person), null);
  await factorRecovery.sweep(100);
  assert.deepEqual(await stopsOf(app, person.id), ['switched_off']);
});
