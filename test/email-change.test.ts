/** Another e-mail address: a code at the new one, word to the old one with a way back, and nobody learns who has what. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { apiUser, assertRefused } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, codeOf, PASSWORD, signedIn, signIn, somebody } from './support/flow.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { createVisitor, type Page, type Visitor } from './support/visitor.ts';

const codeIn = (text: string) => /\b\d{6}\b/.exec(text)?.[0] as string;
const codeFor = async (app: TestApp, to: string) =>
  codeIn((await app.mail(to, ({ subject }) => /\d{6}/.test(subject))).text);
const types = async (app: TestApp, account: string) =>
  (await app.services.audit.list({ account }, 200)).items.map(({ type }) => type);

/** Up to the page that takes the code. */
async function ask(visitor: Visitor, email: string): Promise<Page> {
  return visitor.submit(await visitor.open('/account/email'), { email }, '^/account/email$');
}

/** Whether this address and password sign in. */
async function signsIn(app: TestApp, email: string, password = PASSWORD): Promise<boolean> {
  const visitor = createVisitor(app.url);
  const client = await app.client();
  const page = await visitor.open(authorizationRequest(app, client.client_id).url);
  return codeOf(await signIn(visitor, page, { email, password })) !== null;
}

test('A15 A17: a code at the new address changes it, ends other sessions, and tells the old address', async (t) => {
  const app = await startApp(t);
  const { visitor, person } = await signedIn(app);
  const elsewhere = await signedIn(app, { person });
  const page = await ask(visitor, 'Ada.New@Example.org');
  assert.match(page.html, /Ada\.New@example\.org/);
  const mail = await app.mail('ada.new@example.org');
  assert.match(mail.subject, /^\d{6} is your Latchkey code for this address$/);
  assert.equal(await signsIn(app, 'ada.new@example.org'), false, 'not before the code');

  const code = codeIn(mail.text);
  const wrong = await visitor.submit(page, { code: code === '000000' ? '111111' : '000000' }, 'email/code$');
  assert.equal(wrong.status, 400);
  assert.match(wrong.html, /isn’t the code we sent last\. You have 4 tries left/);
  const done = await visitor.submit(wrong, { code: `${code.slice(0, 3)} ${code.slice(3)}` }, 'email/code$');
  assert.match(done.html, /Your email address is changed/);
  assert.match(done.html, /Ada\.New@example\.org/);

  const account = await app.services.accounts.existing(person.id);
  assert.deepEqual([account.email, account.emailCanonical], ['Ada.New@example.org', 'ada.new@example.org']);
  assert.ok(account.emailVerifiedAt);
  assert.match((await elsewhere.visitor.open('/account')).url, /\/login\//, 'the other session has ended');
  assert.equal((await visitor.open('/account')).url, `${app.url}/account`, 'this one has not');
  assert.equal(await signsIn(app, person.email), false);
  assert.equal(await signsIn(app, 'ADA.NEW@example.ORG'), true);
  const told = await app.mail(person.email);
  assert.match(told.text, /changed to Ada\.New@example\.org/);
  assert.match(told.text, new RegExp(`${app.url}/email/restore/\\S{60,}`));
  const recorded = await types(app, person.id);
  for (const type of ['code.sent', 'code.failed', 'session.ended', 'email.changed'] as const)
    assert.ok(recorded.includes(type), type);
  const dump = JSON.stringify((await app.services.audit.list({}, 200)).items);
  assert.ok(
    !dump.includes('example.org') && !dump.includes(code),
    'addresses stand in the record as keyed hashes only',
  );
});

test('A09: an address that somebody has is answered like a free one, and its owner gets word', async (t) => {
  const app = await startApp(t);
  const { visitor } = await signedIn(app);
  const other = await somebody(app);
  const masked = ({ status, html }: Page, email: string) =>
    `${status} ${html.replaceAll(email, 'EMAIL').replaceAll(/value="[\w.-]{60,}"/g, 'CSRF')}`;
  const free = masked(await ask(visitor, 'nobody@example.org'), 'nobody@example.org');
  const taken = await ask(visitor, other.email);
  assert.equal(masked(taken, other.email), free);
  const mail = await app.mail(other.email);
  assert.match(mail.subject, /already have a Latchkey account/);
  assert.match(mail.text, /wanted to make this the address of another Latchkey account/);
  assert.doesNotMatch(mail.text, /create/);
  assert.equal(codeIn(mail.text), undefined);
  const guess = await visitor.submit(taken, { code: '123456' }, 'email/code$');
  assert.match(guess.html, /isn’t the code we sent last\. You have 4 tries left/);

  const { api } = await apiUser(app);
  const [first, second] = [
    await api('POST /api/v1/account/email', { json: { email: 'nobody2@example.org' } }),
    await api('POST /api/v1/account/email', { json: { email: other.email } }),
  ];
  assert.deepEqual([first.status, second.status], [204, 204]);
});

test('what is no address, is yours already, or may not be used here is refused at once', async (t) => {
  const app = await startApp(t, { env: { LATCHKEY_REGISTRATION_DOMAINS: 'example.com' } });
  const { api, person } = await apiUser(app);
  const change = (email: string) => api('POST /api/v1/account/email', { json: { email } });
  assertRefused(await change('ada@example.com\r\nBcc: z@example.com'), 'invalid_request', ['email: email_invalid']);
  assertRefused(await change('ada＠example.com'), 'invalid_request', ['email: email_invalid']);
  assertRefused(await change(person.email), 'invalid_request', ['email: email_same']);
  assertRefused(await change('ada@elsewhere.org'), 'invalid_request', ['email: email_domain']);
  // The same mailbox in other capitals needs no proof.
  const shouted = person.email.replace('person', 'Person');
  await change(shouted);
  assert.equal((await api('GET /api/v1/account')).body.email, shouted);
  assert.equal(app.mails().length, 0);
});

test('A11 A12: a code works once, for ten minutes, and only in the session or application that asked', async (t) => {
  const app = await startApp(t);
  const one = await apiUser(app);
  const two = await apiUser(app, { person: one.person });
  await one.api('POST /api/v1/account/email', { json: { email: 'once@example.org' } });
  const code = await codeFor(app, 'once@example.org');
  assertRefused(await two.api('POST /api/v1/account/email/code', { json: { code } }), 'code_expired');
  const { status, body } = await one.api('POST /api/v1/account/email/code', { json: { code } });
  assert.deepEqual([status, body.email], [200, 'once@example.org']);
  assertRefused(await one.api('POST /api/v1/account/email/code', { json: { code } }), 'code_expired');

  await one.api('POST /api/v1/account/email', { json: { email: 'late@example.org' } });
  const late = await codeFor(app, 'late@example.org');
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 601_000 });
  const again = await apiUser(app, { person: { ...one.person, email: 'once@example.org' } });
  assertRefused(await one.api('POST /api/v1/account/email/code', { json: { code: late } }), 'fresh_proof_required');
  assertRefused(await again.api('POST /api/v1/account/email/code', { json: { code: late } }), 'code_expired');
});

test('A08: five tries, and few codes to one address or by one account', async (t) => {
  const app = await startApp(t);
  const { api } = await apiUser(app);
  await api('POST /api/v1/account/email', { json: { email: 'tries@example.org' } });
  const code = await codeFor(app, 'tries@example.org');
  const wrong = code === '000000' ? '111111' : '000000';
  for (let n = 0; n < 4; n += 1) {
    assertRefused(await api('POST /api/v1/account/email/code', { json: { code: wrong } }), 'invalid_code');
  }
  assertRefused(await api('POST /api/v1/account/email/code', { json: { code: wrong } }), 'invalid_code');
  assertRefused(await api('POST /api/v1/account/email/code', { json: { code } }), 'invalid_code');
  // Eight codes a day, to whatever addresses.
  const answers = [];
  for (let n = 0; n < 9; n += 1) {
    answers.push((await api('POST /api/v1/account/email', { json: { email: `many${n}@example.org` } })).status);
  }
  assert.deepEqual(answers, [...Array(7).fill(204), 429, 429]);
});

test('A17: a session of yesterday is sent to sign in again, and comes back to the page', async (t) => {
  const app = await startApp(t);
  const { visitor, person } = await signedIn(app);
  const { api } = await apiUser(app, { person });
  const page = await visitor.open('/account/email');
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 11 * 60_000 });
  const late = await visitor.submit(page, { email: 'stale@example.org' }, '^/account/email$');
  assert.match(late.url, /\/login\//);
  assert.equal((await signIn(visitor, late, person)).url, `${app.url}/account/email`);
  assert.equal(app.mails().filter(({ to }) => to === 'stale@example.org').length, 0);
  const refused = await api('POST /api/v1/account/email', { json: { email: 'stale@example.org' } });
  assertRefused(refused, 'fresh_proof_required');
  assert.match(refused.headers.get('www-authenticate') ?? '', /insufficient_user_authentication.*max_age="600"/);
});

describe('the way back', () => {
  const NEXT = 'a sentence that nobody else knows';

  async function changed(app: TestApp, from: string, to: string, visitor: Visitor): Promise<string> {
    const page = await ask(visitor, to);
    await visitor.submit(page, { code: await codeFor(app, to) }, 'email/code$');
    const { text } = await app.mail(from, (mail) => /address was changed/.test(mail.subject));
    return /\/email\/restore\/\S+/.exec(text)?.[0] as string;
  }

  test('puts the address back by a click, ends everybody’s sessions, voids the password and leads to a new one', async (t) => {
    const app = await startApp(t);
    const thief = await signedIn(app);
    const { person } = thief;
    const link = await changed(app, person.email, 'thief@example.org', thief.visitor);
    const owner = createVisitor(app.url);
    const page = await owner.open(link);
    assert.equal(
      (await app.services.accounts.existing(person.id)).email,
      'thief@example.org',
      'opening it changes nothing',
    );
    assert.ok(page.html.includes(person.email));
    const next = await owner.submit(page, {}, 'restore');
    assert.match(next.url, /\/email\/password\//);
    const account = await app.services.accounts.existing(person.id);
    assert.deepEqual([account.email, account.passwordHash], [person.email, null]);
    assert.match((await thief.visitor.open('/account')).url, /\/login\//, 'the thief is out');
    assert.equal(await signsIn(app, person.email), false, 'the password that the thief knows is void');

    const weak = await owner.submit(next, { password: person.name }, 'password');
    assert.equal(weak.status, 400);
    await owner.submit(weak, { password: NEXT }, 'password');
    assert.equal(await signsIn(app, person.email, NEXT), true);
    await app.mail(person.email, ({ subject }) => /password was changed/.test(subject));
    for (const spent of [link, new URL(next.url).pathname]) assert.equal((await owner.open(spent)).status, 400, 'once');
    const recorded = await types(app, person.id);
    for (const type of ['email.restored', 'password.reset'] as const) assert.ok(recorded.includes(type), type);
  });

  test('the older link wins: who changed the address twice can not come back by the second', async (t) => {
    const app = await startApp(t);
    const thief = await signedIn(app);
    const { person } = thief;
    const first = await changed(app, person.email, 'thief1@example.org', thief.visitor);
    const second = await changed(app, 'thief1@example.org', 'thief2@example.org', thief.visitor);
    // A reset that the thief began for the address of then must not count for the account of now.
    const stranger = createVisitor(app.url);
    const login = await stranger.open(authorizationRequest(app, thief.client.client_id).url);
    const forgot = await stranger.open(login.url.replace('/login/', '/forgot/'));
    const reset = await stranger.submit(forgot, { email: 'thief2@example.org' }, '^/forgot/');
    const { text } = await app.mail('thief2@example.org', (mail) => /new password/.test(mail.subject));

    const owner = createVisitor(app.url);
    await owner.submit(await owner.open(first), {}, 'restore');
    assert.equal((await owner.open(second)).status, 400);
    const late = await stranger.submit(reset, { code: codeIn(text), password: NEXT }, '^/reset/[^/]+$');
    assert.equal(late.status, 400);
    assert.equal((await app.services.accounts.existing(person.id)).passwordHash, null);
  });

  test('works for seven days, also for an account that the thief deleted, and not without the form’s token', async (t) => {
    const app = await startApp(t);
    const thief = await signedIn(app);
    const { person, visitor } = thief;
    const link = await changed(app, person.email, 'thief@example.org', visitor);
    await visitor.submit(await visitor.open('/account/delete'), {}, '^/account/delete$');
    const owner = createVisitor(app.url);
    const bare = await owner.open(link, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'csrf=x',
    });
    assert.equal(bare.status, 403);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 6.9 * 86_400_000 });
    const page = await owner.open(link);
    await owner.submit(page, {}, 'restore');
    assert.equal((await app.services.accounts.existing(person.id)).status, 'active');
    assert.equal((await owner.open(`${link}x`)).status, 400);
  });

  test('is over after seven days', async (t) => {
    const app = await startApp(t);
    const { person, visitor } = await signedIn(app);
    const link = await changed(app, person.email, 'new@example.org', visitor);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 7 * 86_400_000 + 1000 });
    assert.equal((await createVisitor(app.url).open(link)).status, 400);
  });
});

describe('races', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());

  for (const engine of ['SQLite', 'PostgreSQL']) {
    test(`${engine}: a code that is sent 100 times changes once; of two people who want one address one gets it`, async (t) => {
      const env: Record<string, string> =
        engine === 'SQLite' ? {} : { LATCHKEY_DATABASE_URL: await postgres.database({ prepared: 'start' }) };
      const app = await startApp(t, { env: { ...env, LATCHKEY_MAIL_CODE_ATTEMPTS: '10' } });
      const [one, two] = [await apiUser(app), await apiUser(app)];
      await one.api('POST /api/v1/account/email', { json: { email: 'wanted@example.org' } });
      const toWanted = await app.mail('wanted@example.org');
      await two.api('POST /api/v1/account/email', { json: { email: 'wanted@example.org' } });
      const [first, second] = [toWanted, await app.mail('wanted@example.org', ({ id }) => id !== toWanted.id)].map(
        ({ text }) => codeIn(text),
      );
      const answers = await Promise.all([
        ...Array.from({ length: 100 }, () => one.api('POST /api/v1/account/email/code', { json: { code: first } })),
        two.api('POST /api/v1/account/email/code', { json: { code: second } }),
      ]);
      assert.equal(answers.filter(({ status }) => status === 200).length, 1);
      // Who sends one code so often is slowed, too.
      assert.ok(answers.every(({ status }) => [200, 400, 409, 429].includes(status)));
      const owners = await app.services.accounts.list({ limit: 200, search: 'wanted@' });
      assert.equal(owners.length, 1);
      const events = (await app.services.audit.list({ type: 'email.changed' }, 10)).items;
      assert.equal(events.length, 1, 'recorded exactly once');
    });
  }
});
