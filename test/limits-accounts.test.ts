/** Guesses at one account: how many are looked at, whom that delays, and that no stranger locks anybody out. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { AppError } from '../src/errors.ts';
import { type Attempt, createAccountAttempts } from '../src/limits/account-attempts.ts';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, codeOf, PASSWORD, somebody } from './support/flow.ts';
import { DATABASES } from './support/stores.ts';
import { createVisitor, type Visitor } from './support/visitor.ts';

const RULES = { fromSource: 10, fromUnknown: 100, fromDevice: 20, perMinute: 30 };
const guess: Attempt = { account: 'ada@example.com', source: '192.0.2.1', kind: 'password' };
const wrong = async () => undefined;
const right = async () => 'ada';

/** What became of an attempt, and whether anything was compared. */
async function outcome(attempted: Promise<unknown>): Promise<'right' | 'wrong' | number> {
  try {
    return (await attempted) === undefined ? 'wrong' : 'right';
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'too_many_attempts') throw error;
    return error.retryAfter as number;
  }
}

for (const [engine, open] of Object.entries(DATABASES)) {
  test(`A08 on ${engine}`, async (t) => {
    const { db, keyring, close } = await open();
    t.after(close);
    const slowed: string[] = [];
    const make = (rules = RULES) =>
      createAccountAttempts({
        db,
        keyring,
        rules,
        onSlowed({ account, how }) {
          slowed.push(`${account} ${how}`);
          return [].values() as never;
        },
      });
    const attempts = make();
    const many = (n: number, attempt: (index: number) => Attempt, work: () => Promise<string | undefined> = wrong) =>
      Promise.all(Array.from({ length: n }, (_, index) => outcome(attempts.attempt(attempt(index), work))));

    await t.test('of 100 guesses at once from one source ten are compared, and the rest is told when', async () => {
      let compared = 0;
      const answers = await many(
        100,
        () => guess,
        async () => {
          compared += 1;
          return undefined;
        },
      );
      assert.equal(compared, 10);
      assert.equal(answers.filter((answer) => answer === 'wrong').length, 10);
      assert.ok(answers.every((answer) => answer === 'wrong' || (typeof answer === 'number' && answer <= 2)));
      assert.deepEqual(slowed, ['ada@example.com wait'], 'told once');
    });

    await t.test('each failure makes the next wait twice as long, and success ends that', async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2001 });
      assert.equal(await outcome(attempts.attempt(guess, wrong)), 'wrong');
      assert.equal(await outcome(attempts.attempt(guess, right)), 4, 'also the right one waits');
      t.mock.timers.tick(4001);
      assert.equal(await outcome(attempts.attempt(guess, wrong)), 'wrong');
      assert.equal(await outcome(attempts.attempt(guess, wrong)), 8);
      t.mock.timers.tick(8001);
      assert.equal(await outcome(attempts.attempt(guess, right)), 'right');
      assert.deepEqual(new Set(await many(10, () => guess)), new Set(['wrong']));
    });

    await t.test('unknown sources together have a hundred in a row, other kinds and accounts their own', async () => {
      const account = 'bob@example.com';
      const from = (index: number) => ({ ...guess, account, source: `198.51.${index}.7` });
      const answers = await many(115, from);
      assert.equal(answers.filter((answer) => answer === 'wrong').length, 100);
      assert.equal(answers.filter((answer) => answer === 900).length, 15);
      const stranger = { ...guess, account, source: '203.0.113.1' };
      assert.equal(await outcome(attempts.attempt(stranger, right)), 900, 'also the right one');
      assert.equal(await outcome(attempts.attempt({ ...stranger, kind: 'factor' }, right)), 'right');
      assert.equal(await outcome(attempts.attempt({ ...stranger, account: 'c@example.com' }, right)), 'right');
      assert.equal(await outcome(make().attempt(stranger, right)), 900, 'a restart and other instances know');
      assert.ok(slowed.includes('bob@example.com strangers'));

      assert.equal(await outcome(attempts.attempt({ ...stranger, known: 'device' }, right)), 'right');
      assert.equal(await outcome(attempts.attempt(stranger, right)), 'right', 'the owner opened it again');
    });

    await t.test('what was mailed to the owner opens it again, too', async () => {
      const account = 'cleo@example.com';
      await many(120, (index) => ({ ...guess, account, source: `198.51.${index}.9` }));
      const stranger = { ...guess, account, source: '203.0.113.2' };
      assert.equal(await outcome(attempts.attempt(stranger, right)), 900);
      await db.write(() => attempts.forgive(account, ['password']));
      assert.equal(await outcome(attempts.attempt(stranger, right)), 'right');
    });

    await t.test('a device that signed in before has twenty of its own, and then counts as unknown', async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
      const device = { ...guess, account: 'dora@example.com', source: '203.0.113.3', known: 'device' };
      let compared = 0;
      for (let n = 0; n < 40; n += 1) {
        if ((await outcome(attempts.attempt(device, wrong))) === 'wrong') compared += 1;
        t.mock.timers.tick(3_600_000);
      }
      assert.equal(compared, 40, 'slowly, all are looked at: twenty of the device, then as a stranger');
      await many(100, (index) => ({ ...guess, account: device.account, source: `198.51.${index}.11` }));
      assert.equal(await outcome(attempts.attempt(device, right)), 900, 'whoever stole the cookie is a stranger now');
      assert.equal(await outcome(attempts.attempt({ ...device, known: 'other' }, right)), 'right');
    });

    await t.test('a source has so many failures in a minute at all accounts, a network ten times that', async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: Math.ceil(Date.now() / 60_000) * 60_000 });
      const few = make({ ...RULES, perMinute: 3 });
      const passed = async (n: number, address: (index: number) => string) => {
        const tries = Array.from({ length: n }, (_, index) =>
          outcome(few.attempt({ ...guess, account: `somebody${index}@example.com`, source: address(index) }, wrong)),
        );
        return (await Promise.all(tries)).filter((answer) => answer === 'wrong').length;
      };
      assert.equal(await passed(20, () => '2001:db8:1:2::5'), 3);
      assert.equal(await passed(50, (index) => `2001:db8:1:${(0x300 + index).toString(16)}::1`), 30);
    });

    await t.test(
      'sixty people of one office who sign in at the same moment wait for each other, no longer',
      async () => {
        const slow = () => new Promise<string>((resolve) => setTimeout(resolve, 20, 'somebody'));
        const answers = await many(
          60,
          (index) => ({ ...guess, account: `worker${index}@x.org`, source: '192.0.2.60' }),
          slow,
        );
        assert.deepEqual(new Set(answers), new Set(['right']));
      },
    );

    await t.test('what was not compared because all are busy is no failure; any other fault is one', async () => {
      const eve = { ...guess, account: 'eve@example.com', source: '192.0.2.99' };
      const fails = (error: Error) => () => Promise.reject(error);
      for (let n = 0; n < 15; n += 1) await assert.rejects(attempts.attempt(eve, fails(new AppError('busy'))), /busy/);
      for (let n = 0; n < 10; n += 1) await assert.rejects(attempts.attempt(eve, fails(new Error('x'))), /x/);
      assert.equal(await outcome(attempts.attempt(eve, right)), 2);
    });
  });
}

/** A proxy on this machine, so that a test can come from many addresses. */
const PROXIED = { LATCHKEY_TRUST_PROXY: '127.0.0.1', LATCHKEY_LIMIT_FAILURES_PER_ACCOUNT: '12' };
const from = (address: string) => ({ 'x-forwarded-for': address });

async function attacked(t: TestContext) {
  const app = await startApp(t, { env: PROXIED });
  const client = await app.client();
  const login = async (visitor: Visitor, email: string, password: string) => {
    const page = await visitor.open(authorizationRequest(app, client.client_id, { prompt: 'login' }).url);
    return visitor.submit(page, { email, password }, '^/login/[^/]+$');
  };
  const attack = async (email: string) => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        login(createVisitor(app.url, from(`198.51.${n}.1`)), email, 'wrong wrong wrong'),
      ),
    );
    return answers.map(({ status }) => status);
  };
  return { app, client, login, attack };
}

async function slowedEvents(app: TestApp, account?: string) {
  const { items } = await app.services.audit.list({ type: 'account.slowed', ...(account ? { account } : {}) }, 50);
  return items;
}

test('A08: the owner signs in from the known device while a stranger guesses, and by mail from anywhere', async (t) => {
  const { app, login, attack } = await attacked(t);
  const person = await somebody(app);
  const home = createVisitor(app.url, from('192.0.2.1'));
  assert.ok(codeOf(await login(home, person.email, PASSWORD)));
  assert.equal((await attack(person.email)).filter((status) => status === 400).length, 12);

  const stranger = createVisitor(app.url, from('192.0.2.2'));
  const refused = await login(stranger, person.email, PASSWORD);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), '900');
  assert.equal(refused.headers.get('ratelimit-remaining'), '0');
  assert.match(refused.html, /15 minutes/);
  assert.equal((await slowedEvents(app, person.id)).length, 1, 'in the record once');

  const forgot = await stranger.open(refused.url.replace('/login/', '/forgot/'));
  const reset = await stranger.submit(forgot, { email: person.email }, '^/forgot/');
  const code = String(
    /\b(\d{3}) ?(\d{3})\b/
      .exec((await app.mail(person.email)).text)
      ?.slice(1)
      .join(''),
  );
  const password = 'another quite long sentence';
  await stranger.submit(reset, { code, password }, '^/reset/[^/]+$');
  assert.ok(codeOf(await login(stranger, person.email, password)), 'who reads the mail is no stranger');

  assert.equal((await attack(person.email)).filter((status) => status === 400).length, 12);
  assert.ok(codeOf(await login(home, person.email, password)), 'the device is known for a year');
  assert.ok(
    codeOf(await login(createVisitor(app.url, from('192.0.2.3')), person.email, password)),
    'and opened it again',
  );
});

test('A08 A09: an address of nobody is slowed and closed like one of somebody, in the same words', async (t) => {
  const { app, login, attack } = await attacked(t);
  const person = await somebody(app);
  const answers = [];
  for (const email of [person.email, 'nobody@example.com']) {
    const statuses = await attack(email);
    const refused = await login(createVisitor(app.url, from('192.0.2.9')), email, PASSWORD);
    const names = ['retry-after', 'ratelimit-limit', 'ratelimit-remaining', 'content-type', 'cache-control'];
    const uid = new URL(refused.url).pathname.split('/')[2] as string;
    const html = refused.html.replaceAll(uid, 'UID').replaceAll(/value="[^"]*"|nonce="[^"]+"/g, '');
    answers.push(
      JSON.stringify([statuses.sort(), refused.status, names.map((name) => refused.headers.get(name)), html]),
    );
  }
  assert.equal(answers[0], answers[1]);
  assert.equal((await slowedEvents(app)).length, 2);
});

test('A08: other spellings of an address and the pages of who is signed in count at the same place', async (t) => {
  const { app, login } = await attacked(t);
  const person = await somebody(app, { email: 'Ada.Spelling@example.com' });
  const visitor = createVisitor(app.url, from('192.0.2.1'));
  for (let n = 0; n < 10; n += 1)
    await login(visitor, n % 2 ? 'ada.spelling@EXAMPLE.com' : ' Ada.Spelling@example.com', 'wrong wrong wrong');
  assert.equal((await login(visitor, person.email, PASSWORD)).status, 429);
  const by = { via: 'page', ip: '192.0.2.1', userAgent: null, requestId: null, device: '' } as const;
  const change = (keep: object) =>
    app.services.accounts.changePassword(person.id, { current: PASSWORD, next: 'x', keep, origin: by });
  await assert.rejects(change({}), { code: 'too_many_attempts' });
  await assert.rejects(change({ session: 'mine' }), { code: 'weak_password' }, 'the session has a share of its own');
});

test('A08: a device cookie that was changed, or is of another account, is no known device', async (t) => {
  const { app, login, attack } = await attacked(t);
  const [person, other] = [await somebody(app), await somebody(app)];
  const home = createVisitor(app.url, from('192.0.2.1'));
  await login(home, person.email, PASSWORD);
  const cookie = home.cookies.get('latchkey_device /');
  assert.ok(cookie && !cookie.value.includes(person.id));
  await attack(other.email);
  assert.equal((await login(home, other.email, PASSWORD)).status, 429);
  await attack(person.email);
  const forger = createVisitor(app.url, from('192.0.2.2'));
  const flip = (letter: string | undefined) => (letter === 'A' ? 'B' : 'A');
  const { value: good } = cookie;
  for (const value of [
    flip(good[0]) + good.slice(1),
    good.slice(0, -1) + flip(good.at(-1)),
    '',
    'a.b',
    `${cookie.value}.x`,
  ]) {
    forger.cookies.set('latchkey_device /', { value, path: '/' });
    assert.equal((await login(forger, person.email, PASSWORD)).status, 429, value);
  }
  forger.cookies.set('latchkey_device /', cookie);
  assert.ok(codeOf(await login(forger, person.email, PASSWORD)), 'unchanged it is one');
});
