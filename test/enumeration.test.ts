/** Nobody learns who has an account (A09): not from what is answered, and not from how long it takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestApp } from './support/app.ts';
import { authorizationRequest, PASSWORD, type Person, somebody } from './support/flow.ts';
import { sharedApp } from './support/one-app.ts';
import { createVisitor, type Page, type Visitor } from './support/visitor.ts';

// Cheap hashes: costlier ones would only cover a difference.
const theApp = sharedApp({ env: { LATCHKEY_ARGON2_MEMORY_KIB: '4096' } });
const WRONG = 'another long sentence';

/** A page without what differs by chance: its flow, its form token, its nonce, the address that was typed. */
function masked({ url, html, headers, status }: Page): unknown {
  const flow = new URL(url).pathname.split('/')[2] as string;
  const text = html
    .replaceAll(flow, 'FLOW')
    .replaceAll(/(?:value|nonce)="[^"]*"/g, '')
    .replaceAll(/[\w-]+@example\.com/g, 'ADDRESS');
  return { status, path: new URL(url).pathname.replace(flow, 'FLOW'), text, headers: [...headers.keys()].sort() };
}

async function loginPage(app: TestApp) {
  const client = await app.client();
  const visitor = createVisitor(app.url);
  const url = authorizationRequest(app, client.client_id).url;
  return { visitor, page: await visitor.open(url) };
}

/** One account in each state that a sign-in does not tell. */
async function everyState(app: TestApp): Promise<Record<string, { email: string; password: string }>> {
  const { accounts, deletion } = app.services;
  const [known, disabled, closed, gone] = [
    await somebody(app),
    await somebody(app),
    await somebody(app),
    await somebody(app),
  ];
  await accounts.disable(disabled.id);
  await deletion.close((await accounts.byId(closed.id)) as never, {
    via: 'page',
    ip: null,
    userAgent: null,
    requestId: null,
    device: 'x',
  });
  await deletion.remove(gone.id);
  await accounts.create({ email: 'unproved@example.com', name: null, password: PASSWORD, verified: false });
  await accounts.create({ email: 'invited@example.com', name: null, verified: true });
  return {
    nobody: { email: 'nobody@example.com', password: PASSWORD },
    'a wrong password': { email: known.email, password: WRONG },
    'disabled, with the right password': { email: disabled.email, password: PASSWORD },
    'disabled, with a wrong one': { email: disabled.email, password: WRONG },
    'closed by its person, with a wrong one': { email: closed.email, password: WRONG },
    deleted: { email: gone.email, password: PASSWORD },
    'unproved, with a wrong one': { email: 'unproved@example.com', password: WRONG },
    'without a password': { email: 'invited@example.com', password: PASSWORD },
  };
}

test('A09: whatever keeps somebody from signing in, the answer is the same in status, headers and body', async () => {
  const app = await theApp();
  const answers = new Map<string, unknown>();
  for (const [state, { email, password }] of Object.entries(await everyState(app))) {
    const { visitor, page } = await loginPage(app);
    answers.set(state, masked(await visitor.submit(page, { email, password }, '^/login/[^/]+$')));
  }
  const expected = answers.get('nobody');
  assert.equal((expected as { status: number }).status, 400);
  for (const [state, answer] of answers) assert.deepEqual(answer, expected, state);
});

test('A09: who forgot a password and who registers hear the same, whether there is an account or not', async () => {
  const app = await theApp();
  const states = Object.values(await unasked(app));
  for (const way of ['forgot', 'register']) {
    const answers: unknown[] = [];
    for (const email of states) {
      const { visitor, page } = await loginPage(app);
      const form = await visitor.open(page.url.replace('/login/', `/${way}/`));
      const fields: Record<string, string> = way === 'forgot' ? { email } : { email, name: 'Ada', password: PASSWORD };
      const next = await visitor.submit(form, fields, `^/${way}/[^/]+$`);
      answers.push(masked(next));
      const code: Record<string, string> = way === 'forgot' ? { code: '000000', password: WRONG } : { code: '000000' };
      answers.push(masked(await visitor.submit(next, code, '^/(reset|verify)/[^/]+$')));
    }
    for (let n = 2; n < answers.length; n += 2) {
      assert.deepEqual(answers[n], answers[0], `${way}: ${states[n / 2]}`);
      assert.deepEqual(answers[n + 1], answers[1], `${way}, a wrong code: ${states[n / 2]}`);
    }
  }
});

/** Addresses of which nobody asked for a code so far. */
async function unasked(app: TestApp): Promise<Record<string, string>> {
  const [known, disabled] = [await somebody(app), await somebody(app)];
  await app.services.accounts.disable(disabled.id);
  await app.services.accounts.create({
    email: 'unproved2@example.com',
    name: null,
    password: PASSWORD,
    verified: false,
  });
  return {
    nobody: 'nobody2@example.com',
    known: known.email,
    disabled: disabled.email,
    unproved: 'unproved2@example.com',
  };
}

/** How well times of two kinds can be told apart: 0.5 not at all, 0 or 1 always. */
function separation(one: number[], other: number[]): number {
  let sum = 0;
  for (const a of one) for (const b of other) sum += a > b ? 1 : a === b ? 0.5 : 0;
  return sum / (one.length * other.length);
}

const PAIRS = 150;

type Ask = (known: boolean, n: number) => Promise<void>;

/** Pairs one after the other, in changing order, so that whatever else the machine does meets both alike. */
async function measured(ask: Ask): Promise<number> {
  const times: [number[], number[]] = [[], []];
  for (let n = 0; n < PAIRS; n += 1) {
    for (const known of n % 2 === 0 ? [true, false] : [false, true]) {
      const started = performance.now();
      await ask(known, n);
      times[Number(known)]?.push(performance.now() - started);
    }
  }
  return separation(times[1], times[0]);
}

/** By chance it is outside of the bounds once in 400 times, by a leak each time. */
async function assertAlike(prepare: () => Promise<Ask>): Promise<void> {
  const seen: number[] = [];
  while (seen.length < 3) {
    const found = await measured(await prepare());
    if (found >= 0.4 && found <= 0.6) return;
    seen.push(found);
  }
  assert.fail(`the times tell them apart: ${seen.map((each) => each.toFixed(2)).join(', ')}`);
}

async function post(visitor: Visitor, page: Page, values: Record<string, string>, which: string): Promise<void> {
  const { action, body } = visitor.fill(page, values, which);
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  await (await visitor.request(action, { method: 'POST', headers, body })).arrayBuffer();
}

/** Where the index of a pair leads: an account, or an address of nobody. */
async function addresses(app: TestApp, count: number): Promise<(known: boolean, n: number) => string> {
  const people: Person[] = [];
  while (people.length < count) people.push(await somebody(app));
  return (known, n) => {
    const { email } = people[n % count] as Person;
    return known ? email : `nobody-${email}`;
  };
}

test('A09: the time that a wrong password takes says nothing of the account', async () => {
  const app = await theApp();
  const { visitor, page } = await loginPage(app);
  // An address rests after ten failures: here it has nine at most.
  const address = await addresses(app, PAIRS / 3);
  const ask: Ask = (known, n) => post(visitor, page, { email: address(known, n), password: WRONG }, '^/login/[^/]+$');
  await assertAlike(async () => ask);
});

test('A09: nor does the time that asking for a code takes', async () => {
  const app = await theApp();
  const { visitor, page } = await loginPage(app);
  const forgot = await visitor.open(page.url.replace('/login/', '/forgot/'));
  await assertAlike(async () => {
    const address = await addresses(app, PAIRS);
    return (known, n) => post(visitor, forgot, { email: address(known, n) }, '^/forgot/[^/]+$');
  });
});
