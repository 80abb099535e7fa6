/** Canaries: secrets that went through the service are looked for where they must not lie. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { apiUser } from './support/account-api.ts';
import { startApp } from './support/app.ts';
import { authorizationRequest, codeOf, PASSWORD, somebody, token } from './support/flow.ts';
import { startRedis, type TestRedis } from './support/redis.ts';
import { createVisitor } from './support/visitor.ts';

/** Every key and value of the server, read by the form of each. */
async function contentsOf(redis: TestRedis): Promise<string> {
  const words = (answer: string) => answer.split('\r\n').filter((line) => line !== '' && !/^[*$]\d+$/.test(line));
  const found = words(await redis.whole('KEYS', '*'));
  const contents = [];
  for (const key of found) {
    const kind = (await redis.whole('TYPE', key)).trim().slice(1);
    const read = {
      string: ['GET', key],
      hash: ['HGETALL', key],
      set: ['SMEMBERS', key],
      list: ['LRANGE', key, '0', '-1'],
    };
    const ask = kind === 'zset' ? ['ZRANGE', key, '0', '-1'] : read[kind as keyof typeof read];
    assert.ok(ask, `a ${kind} is not read`);
    contents.push(key, await redis.whole(...(ask as [string])));
  }
  return contents.join('\n');
}

/** A Redis that does not answer in time, on a machine that is busy, sends people back to the start of a sign-in. */
async function patiently<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries === 5) throw error;
      await new Promise((resolve) => setTimeout(resolve, 2500));
    }
  }
}

test('secrets in logs: whatever went through is in no line, no mail but its own, no file and no answer of a fault', async (t) => {
  const lines: string[] = [];
  const redis = await startRedis();
  t.after(() => redis.stop());
  const app = await startApp(t, { env: { LATCHKEY_REDIS_URL: redis.url }, onLog: (line) => lines.push(line) });
  const user = await patiently(() => apiUser(app));
  const request = authorizationRequest(app, user.client.client_id, {
    state: 'canary-state-1',
    nonce: 'canary-nonce-1',
  });
  const code = codeOf(await user.visitor.open(request.url)) as string;
  const person = await somebody(app);
  const visitor = createVisitor(app.url);
  const login = await visitor.open(authorizationRequest(app, user.client.client_id).url);
  await visitor.submit(login, { email: person.email, password: 'canary-typed-password' }, '^/login/[^/]+$');
  const forgot = await visitor.open(login.url.replace('/login/', '/forgot/'));
  const reset = await visitor.submit(forgot, { email: person.email }, '^/forgot/[^/]+$');
  const mail = await app.mail(person.email);
  const mailed = String(/\b\d{6}\b/.exec(mail.text)?.[0]);
  await visitor.submit(reset, { code: mailed, password: 'canary-next-password-1' }, '^/reset/[^/]+$');
  const invited = await app.services.invitations.invite({
    email: 'i@example.com',
    name: null,
    locale: 'en',
    inviter: null,
  });
  const link = invited.link.split('/').at(-1) as string;
  await visitor.open(`/invitation/${link}`);
  const answers: string[] = [];
  for (const bad of [
    () =>
      token(
        app,
        { ...user.client, client_secret: 'canary-client-secret' },
        { grant_type: 'refresh_token', refresh_token: 'canary-refresh' },
      ),
    () =>
      token(app, user.client, {
        grant_type: 'authorization_code',
        code,
        redirect_uri: 'x',
        code_verifier: 'v'.repeat(50),
      }),
  ])
    answers.push(JSON.stringify((await bad()).body));
  const rename = (from: string, to: string) => app.services.db.run(`ALTER TABLE ${from} RENAME TO ${to}`);
  // A fault with everything in its hands.
  await rename('accounts', 'gone');
  const headers = { authorization: `Bearer ${user.tokens.access_token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ current_password: PASSWORD, new_password: 'canary-fault-password' });
  const fault = await fetch(`${app.url}/api/v1/account/password`, { method: 'POST', headers, body });
  assert.ok(fault.status >= 500);
  answers.push(await fault.text());
  await rename('gone', 'accounts');
  const session = [...user.visitor.cookies].find(([name]) => name.startsWith('latchkey_session '))?.[1].value as string;
  const secrets: Record<string, string> = {
    ...{
      code,
      session,
      mailed,
      link: link.split('.').at(-1) as string,
      password: PASSWORD,
      secret: user.client.client_secret,
    },
    ...{
      access: user.tokens.access_token,
      refresh: String(user.tokens.refresh_token),
      id: String(user.tokens.id_token),
    },
    ...{ typed: 'canary-typed-password', next: 'canary-next-password-1', fault: 'canary-fault-password' },
    ...{ guessed: 'canary-client-secret', spent: 'canary-refresh', verifier: request.verifier },
  };
  await redis.command('HSET', 'search', 'field', 'it-would-be-found');
  const volatile = await contentsOf(redis);
  assert.ok(/latchkey:/.test(volatile) && volatile.length > 2000, `there is something in Redis: ${volatile.length}`);
  assert.ok(volatile.includes('it-would-be-found'));
  await app.stop();
  const log = lines.join('\n');
  assert.ok(lines.some((line) => line.includes('/oauth2/token')) && log.length > 5000, 'there is something to search');
  const files = readdirSync(app.dataDir).filter((name) => name.startsWith('latchkey.db'));
  const stored = Buffer.concat(files.map((name) => readFileSync(join(app.dataDir, name)))).toString('latin1');
  const others = app
    .mails()
    .filter(({ id, to }) => id !== mail.id && to !== 'i@example.com')
    .map(({ text }) => text);
  for (const [name, secret] of Object.entries(secrets)) {
    assert.ok(secret.length >= 6, name);
    assert.ok(!log.includes(secret), `${name} is in the log: ${lines.find((line) => line.includes(secret))}`);
    for (const answer of answers) assert.ok(!answer.includes(secret), `${name} is in an answer: ${answer}`);
    for (const text of others) assert.ok(!text.includes(secret), `${name} is in a mail`);
    // Six digits are found by chance in any file; they are looked for as they would be stored.
    const form = name === 'mailed' ? `"code":"${secret}"` : secret;
    assert.ok(!stored.includes(form), `${name} is in the database`);
    assert.ok(!volatile.includes(form), `${name} is in Redis`);
  }
});
