/** Mailed codes under attack: how many are sent, how many guesses are looked at, and that the owner still gets one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChallengeStore } from '../src/accounts/challenge-store.ts';
import { createChallenges, type IssueRequest } from '../src/accounts/challenges.ts';
import { SYSTEM } from '../src/audit/events.ts';
import { AppError } from '../src/errors.ts';
import { createAccountAttempts } from '../src/limits/account-attempts.ts';
import { createMailBudget } from '../src/limits/mail-budget.ts';
import { startApp } from './support/app.ts';
import { authorizationRequest, codeOf, PASSWORD, somebody } from './support/flow.ts';
import { DATABASES } from './support/stores.ts';
import { createVisitor } from './support/visitor.ts';

const RULES = { minutes: 10, attempts: 5, resetAttempts: 3, perQuarterHour: 3, perDay: 8, resetPerDay: 5 };
const device = (id: string) => ({ known: () => id });
const QUARTER_MS = 900_000;

for (const [engine, open] of Object.entries(DATABASES)) {
  test(`D1 on ${engine}`, async (t) => {
    const { db, keyring, close } = await open();
    t.after(close);
    const failures = { fromSource: 10, fromUnknown: 30, fromDevice: 20, perMinute: 1000 };
    const attempts = createAccountAttempts({ db, keyring, rules: failures });
    const challenges = createChallenges({
      store: createChallengeStore(db),
      keyring,
      audit: { note: async () => {} },
      rules: RULES,
      attempts,
      mails: createMailBudget({ keyring, rules: { toAddress: 10, ofPurpose: 12 } }),
    });
    let flow = 0;
    const issue = (request: Partial<IssueRequest>) => {
      flow += 1;
      const all = { purpose: 'reset', sentTo: 'ada@example.com', accountId: null, decoy: false, ...request } as const;
      return db.write(() => challenges.issue({ flow: `flow ${flow}`, ...all }));
    };
    const many = async (n: number, request: (index: number) => Partial<IssueRequest>) => {
      const answers = await Promise.allSettled(Array.from({ length: n }, (_, index) => issue(request(index))));
      for (const each of answers) if (each.status === 'rejected') assert.equal(each.reason.code, 'too_many_attempts');
      return answers.filter(({ status }) => status === 'fulfilled').length;
    };
    const clock = (t: { mock: typeof test.mock }, now = Math.ceil(Date.now() / 3_600_000) * 3_600_000 + 1) =>
      t.mock.timers.enable({ apis: ['Date'], now });

    await t.test('strangers get three codes at once, the known device three of its own', async (t) => {
      clock(t);
      assert.equal(await many(50, () => ({})), 3);
      assert.equal(await many(50, () => ({ device: device('laptop') })), 3);
      assert.equal(await many(50, () => ({ device: device('phone') })), 3);
    });

    await t.test('five resets a day; strangers have seven mails an hour, all purposes together', async (t) => {
      clock(t);
      const sentTo = 'bob@example.com';
      let sent = 0;
      for (let quarter = 0; quarter < 12; quarter += 1) {
        sent += await many(5, () => ({ sentTo }));
        t.mock.timers.tick(QUARTER_MS);
      }
      assert.equal(sent, 5);
      const other = { sentTo: 'carl@example.com' };
      const purposes = ['register', 'verify_email', 'reset'] as const;
      assert.equal(await many(50, (index) => ({ ...other, purpose: purposes[index % 3] as 'reset' })), 7);
      assert.equal(
        await many(50, (index) => ({ ...other, purpose: purposes[index % 3] as 'reset', device: device('d') })),
        3,
      );
    });

    await t.test('one purpose has so many mails an hour to all strangers; known devices are not counted', async (t) => {
      clock(t, Math.ceil(Date.now() / 3_600_000) * 3_600_000 + 100 * 3_600_000);
      const sentTo = (index: number) => `person${index}@example.com`;
      assert.equal(await many(40, (index) => ({ purpose: 'register', sentTo: sentTo(index) })), 12);
      assert.equal(
        await many(40, (index) => ({ purpose: 'register', sentTo: sentTo(index), device: device('d') })),
        40,
      );
    });

    await t.test('after so many wrong codes in a row the next one is too long to be guessed', async (t) => {
      clock(t, Math.ceil(Date.now() / 3_600_000) * 3_600_000 + 200 * 3_600_000);
      const sentTo = 'dora@example.com';
      const prove = (code: string, index = 0, by?: ReturnType<typeof device>) =>
        challenges.prove(`flow ${flow}`, ['reset'], code, { ...SYSTEM, ip: `198.51.100.${index}` }, by);
      let compared = 0;
      while (compared < 30) {
        await issue({ sentTo });
        for (let n = 0; n < RULES.resetAttempts; n += 1) {
          await assert.rejects(prove('wrong', compared), AppError);
          compared += 1;
        }
        t.mock.timers.tick(QUARTER_MS * 20);
      }
      const { code } = await issue({ sentTo });
      assert.match(code, /^(\d{6} ){3}\d{6}$/);
      await assert.rejects(prove('123456', 99), { code: 'invalid_code' });
      const proved = await prove(code.replaceAll(' ', ''), 99);
      assert.equal(proved.sent_to, sentTo);
    });

    await t.test(
      'a short code that was on its way then is dead for strangers and good for the known device',
      async (t) => {
        clock(t, Math.ceil(Date.now() / 3_600_000) * 3_600_000 + 300 * 3_600_000);
        const sentTo = 'eve@example.com';
        const { code } = await issue({ sentTo, device: device('laptop') });
        for (let n = 0; n < 30; n += 1) {
          const guess = { account: sentTo, source: `192.0.2.${n}`, kind: 'code' } as const;
          await attempts.attempt(guess, async () => undefined);
        }
        const by = { ...SYSTEM, ip: '203.0.113.1' };
        const here = (mine?: ReturnType<typeof device>) => challenges.prove(`flow ${flow}`, ['reset'], code, by, mine);
        await assert.rejects(here(), { code: 'code_expired' });
        assert.equal((await here(device('laptop'))).sent_to, sentTo);
      },
    );
  });
}

test('D1: while strangers ask for all codes that they get, the owner gets one on the known device', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const person = await somebody(app);
  const forgot = async (visitor: ReturnType<typeof createVisitor>) => {
    const page = await visitor.open(authorizationRequest(app, client.client_id, { prompt: 'login' }).url);
    const asked = await visitor.open(page.url.replace('/login/', '/forgot/'));
    return visitor.submit(asked, { email: person.email }, '^/forgot/');
  };
  const home = createVisitor(app.url);
  const login = await home.open(authorizationRequest(app, client.client_id).url);
  assert.ok(codeOf(await home.submit(login, { email: person.email, password: PASSWORD }, '^/login/[^/]+$')));

  for (let n = 0; n < 3; n += 1) assert.equal((await forgot(createVisitor(app.url))).status, 200);
  const refused = await forgot(createVisitor(app.url));
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal(refused.headers.get('ratelimit-limit'), '5');
  assert.equal((await forgot(home)).status, 200);
});
