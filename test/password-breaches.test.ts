/** Passwords of known breaches: what is asked of the range service, at every door, and what happens without its answer. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { test } from 'node:test';
import { apiUser, assertRefused } from './support/account-api.ts';
import { startApp } from './support/app.ts';
import { authorizationRequest, PASSWORD, somebody } from './support/flow.ts';
import { startServer } from './support/outgoing.ts';
import { createVisitor } from './support/visitor.ts';

const STOLEN = 'nine blue kettles on a barge';
const GOOD = 'four quiet herons waiting';
const sha1 = (text: string) => createHash('sha1').update(text.normalize('NFC')).digest('hex').toUpperCase();

type Answers = (prefix: string) => { status?: number; body?: string; silent?: true };

/** The answer of the real service: suffixes and counts, padded with entries of the count 0. */
const ranges: Answers = (prefix) => {
  const filler = Array.from({ length: 900 }, (_, index) => `${sha1(`filler ${index}`).slice(5)}:${index % 7}`);
  const known = sha1(STOLEN).startsWith(prefix) ? [`${sha1(STOLEN).slice(5)}:12`] : [];
  const padding = sha1(GOOD).startsWith(prefix) ? [`${sha1(GOOD).slice(5)}:0`] : [];
  return { body: [...filler, ...known, ...padding].sort().join('\r\n') };
};

async function startRanges(t: Parameters<typeof startServer>[0]) {
  const asked: Array<{ path: string; padding: string | undefined; all: string }> = [];
  const now: { answers: Answers } = { answers: ranges };
  const listener: RequestListener = (request, response) => {
    const padding = request.headers['add-padding'] as string | undefined;
    asked.push({ path: request.url ?? '', padding, all: JSON.stringify(request.headers) });
    const { status = 200, body = '', silent } = now.answers((request.url ?? '').split('/').at(-1) as string);
    if (silent) return;
    response.writeHead(status).end(body);
  };
  const server = await startServer(t, listener);
  const env = { LATCHKEY_PASSWORD_BREACH_CHECK: 'true', LATCHKEY_PASSWORD_BREACH_URL: `${server.url}/range` };
  return { asked, now, env };
}

test('A05: a password of a known breach is refused at every door, and five digits are all that leaves', async (t) => {
  const { asked, env } = await startRanges(t);
  const app = await startApp(t, { env });
  const user = await apiUser(app);
  asked.length = 0;

  const change = { current_password: PASSWORD, new_password: STOLEN };
  assertRefused(await user.api('POST /api/v1/account/password', { json: change }), 'weak_password', [
    'new_password: password_breached',
  ]);
  await assert.rejects(
    app.services.accounts.create({ email: 'a@example.com', name: 'A', password: STOLEN, verified: true }),
  );
  const invitation = await app.services.invitations.invite({
    email: 'b@example.com',
    name: null,
    locale: 'en',
    inviter: null,
  });
  const token = invitation.link.split('/').at(-1) as string;
  await assert.rejects(app.services.invitations.accept(token, { name: 'B', password: STOLEN }));

  const visitor = createVisitor(app.url);
  const client = await app.client();
  const start = await visitor.open(authorizationRequest(app, client.client_id).url);
  const flow = start.url.split('/').at(-1) as string;
  const form = await visitor.open(`/register/${flow}`);
  const again = await visitor.submit(form, { email: 'c@example.com', name: 'C', password: STOLEN }, '^/register/');
  assert.match(again.html, /known from a theft of data/);
  const forgot = await visitor.submit(await visitor.open(`/forgot/${flow}`), { email: user.person.email }, '^/forgot/');
  const { text } = await app.mail(user.person.email, (mail) => /new password/.test(mail.subject));
  const code = /\d{6}/.exec(text)?.[0] as string;
  const refused = await visitor.submit(forgot, { code, password: STOLEN }, '^/reset/[^/]+$');
  assert.match(refused.html, /known from a theft of data/);

  const path = `/range/${sha1(STOLEN).slice(0, 5)}`;
  assert.deepEqual(
    asked.map((one) => one.path),
    [path, path, path, path, path],
  );
  for (const { padding, all } of asked) {
    assert.equal(padding, 'true');
    assert.doesNotMatch(all.toUpperCase(), new RegExp(sha1(STOLEN).slice(5, 12)));
  }
  // Padding is no find.
  await user.api('POST /api/v1/account/password', { json: { ...change, new_password: GOOD } });
  // What the other rules refuse is not asked about.
  const before = asked.length;
  await user.api('POST /api/v1/account/password', { json: { current_password: GOOD, new_password: 'short' } });
  assert.equal(asked.length, before);
});

test('A05: without a proper answer within a second the password is taken, and the record says so', async (t) => {
  const { now, env } = await startRanges(t);
  const app = await startApp(t, { env });
  const failures: Array<[string, Answers, RegExp]> = [
    ['silent', () => ({ silent: true }), /timeout|abort/i],
    ['broken', () => ({ status: 500 }), /Error/],
    ['a page of a proxy', () => ({ body: '<html>sign in to the network</html>' }), /Error/],
    ['endless', () => ({ body: 'x'.repeat(700_000) }), /too_large/],
  ];
  for (const [what, answers, reason] of failures) {
    now.answers = answers;
    const startedAt = performance.now();
    const person = await somebody(app, { password: STOLEN });
    assert.ok(performance.now() - startedAt < 2500, `${what} does not hold anybody up`);
    assert.ok(await app.services.accounts.byId(person.id));
    const [event] = (await app.services.audit.list({ type: 'password.breach_check_failed' }, 1)).items;
    assert.equal(event?.outcome, 'failure');
    assert.match(String(event?.details['reason']), reason, what);
  }
  const { items } = await app.services.audit.list({ type: 'password.breach_check_failed' }, 50);
  assert.equal(items.length, failures.length);
});

test('nothing is asked while the check is switched off, nor at a sign-in', async (t) => {
  const { asked, env } = await startRanges(t);
  const off = await startApp(t, { env: { ...env, LATCHKEY_PASSWORD_BREACH_CHECK: 'false' } });
  await somebody(off, { password: STOLEN });
  assert.equal(asked.length, 0);
});
