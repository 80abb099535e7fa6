/** What limits refuse stands in the record: once for a limit, whom it holds back, and a window, never once a request. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createAccountStore } from '../src/accounts/store.ts';
import { one } from '../src/db/statement.ts';
import { createRefusals } from '../src/limits/refusals.ts';
import { startApp, type TestApp } from './support/app.ts';
import { enrol } from './support/factors.ts';
import { authorizationRequest, signedIn, signIn } from './support/flow.ts';
import { DATABASES } from './support/stores.ts';
import { createVisitor } from './support/visitor.ts';

/** A moment at which no window ends. */
function stopClock(t: TestContext): void {
  t.mock.timers.enable({ apis: ['Date'], now: Math.ceil(Date.now() / 3_600_000) * 3_600_000 + 30_000 });
}

async function refused(app: TestApp) {
  await app.services.refusals.settled();
  const { items } = await app.services.audit.list({ type: 'limit.refused' }, 100);
  return items.map(
    ({ details, ip, account_id, via }): Record<string, unknown> => ({ ...details, ip, account_id, via }),
  );
}

test('D7: a source that is refused a hundred times is one event for each limit, with its address', async (t) => {
  stopClock(t);
  const env = { LATCHKEY_LIMIT_PAGES_PER_MINUTE: '30', LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: '5' };
  const app = await startApp(t, { env: { ...env, LATCHKEY_TRUST_PROXY: '127.0.0.1' } });
  const { client_id: id } = await app.client();
  const from = (ip: string) => ({ headers: { 'x-forwarded-for': ip }, redirect: 'manual' as const });
  const many = async (url: string, init: RequestInit) =>
    (await Promise.all(Array.from({ length: 100 }, () => fetch(app.url + url, init)))).filter(
      ({ status }) => status === 429,
    ).length;
  assert.ok((await many('/account', from('192.0.2.1'))) >= 70);
  assert.ok((await many('/account', from('2001:db8::1'))) >= 70);
  assert.ok((await many('/login/x', { ...from('192.0.2.1'), method: 'POST' })) >= 90);
  const authorize = new URL(authorizationRequest(app, id).url);
  assert.ok((await many(authorize.pathname + authorize.search, from('192.0.2.1'))) >= 70);
  const common = { account_id: null };
  assert.deepEqual((await refused(app)).toReversed(), [
    { limit: 'page', source: '192.0.2.1', ip: '192.0.2.1', via: 'page', ...common },
    { limit: 'page', source: '2001:db8:0:0::/64', ip: '2001:db8::1', via: 'page', ...common },
    { limit: 'action', source: '192.0.2.1', ip: '192.0.2.1', via: 'page', ...common },
    { limit: 'protocol', source: '192.0.2.1', ip: '192.0.2.1', via: 'protocol', ...common },
  ]);
});

test('D1: the person sees what was held back; the end of a purpose’s mails is an alarm, and notices go on', async (t) => {
  const lines: string[] = [];
  stopClock(t);
  const env = { LATCHKEY_LIMIT_MAILS_PER_PURPOSE: '10', LATCHKEY_LIMIT_FAILURES_PER_PAIR: '3' };
  const app = await startApp(t, { env, onLog: (line) => lines.push(line) });
  const owner = await signedIn(app);
  const forgot = async (email: string) => {
    const visitor = createVisitor(app.url);
    const login = await visitor.open(authorizationRequest(app, owner.client.client_id).url);
    const page = await visitor.open(login.url.replace('/login/', '/forgot/'));
    return (await visitor.submit(page, { email }, '^/forgot/[^/]+$')).status;
  };
  const reset = [];
  for (let n = 0; n < 5; n += 1) reset.push(await forgot(owner.person.email));
  assert.deepEqual(reset, [200, 200, 200, 429, 429]);
  const others = [];
  for (let n = 0; n < 9; n += 1) others.push(await forgot(`nobody${n}@example.com`));
  assert.deepEqual(others.slice(-2), [429, 429]);
  const [budget, code, ...rest] = await refused(app);
  assert.deepEqual(rest, []);
  assert.deepEqual([code?.['limit'], code?.['account_id']], ['code', owner.person.id]);
  assert.deepEqual([budget?.['limit'], budget?.['budget'], budget?.['account_id']], ['mail_purpose', 'reset', null]);
  assert.equal(lines.filter((line) => line.includes('ALARM')).length, 1);

  const stranger = createVisitor(app.url);
  let page = await stranger.open(authorizationRequest(app, owner.client.client_id).url);
  for (let n = 0; n < 4; n += 1) {
    page = await signIn(stranger, page, { email: owner.person.email, password: 'guessed' });
    if (page.status === 429) page = await stranger.open(authorizationRequest(app, owner.client.client_id).url);
  }
  const events = (await owner.visitor.open('/account/events')).html;
  assert.match(events, /Too many requests about this account: held back/);
  assert.match(events, /Too many wrong attempts: slowed down/);
  assert.ok(!JSON.stringify(await refused(app)).includes('example.com'), 'addresses stand there as keyed hashes');

  await enrol(app, owner.person);
  await app.mail(owner.person.email, ({ subject }) => /second step was added/.test(subject));
});

for (const [engine, open] of Object.entries(DATABASES)) {
  test(`on ${engine} two processes record a refusal once, and one process so many in a minute at most`, async (t) => {
    const { db, close } = await open();
    t.after(close);
    stopClock(t);
    const recorded: unknown[] = [];
    const made = () =>
      createRefusals({
        db,
        audit: {
          pseudonym: (text: string) => text,
          *record(event) {
            recorded.push(event.details);
            yield* one('SELECT 1 AS one');
          },
        },
        accountOf: createAccountStore(db).findByEmail,
        onAlarm() {},
        onError: (error) => recorded.push(error),
      });
    const [first, second] = [made(), made()];
    const note = (refusals: typeof first, n: number) =>
      refusals.note({ limit: 'page', durationMs: 60_000, by: { ip: `192.0.2.${n}` } });
    for (const refusals of [first, second, first, second]) note(refusals, 1);
    await Promise.all([first.settled(), second.settled()]);
    assert.deepEqual(recorded, [{ limit: 'page', source: '192.0.2.1' }]);
    for (let n = 2; n < 250; n += 1) note(first, n);
    await first.settled();
    assert.equal(recorded.length, 100);
    t.mock.timers.tick(15 * 60_000);
    note(second, 1);
    await second.settled();
    assert.equal(recorded.length, 101, 'and once more in the next quarter of an hour');
  });
}
