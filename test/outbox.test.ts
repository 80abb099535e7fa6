/** The durable outbox: at least once, by one worker at a time, after kill -9, with a mail server that is away. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuditLog } from '../src/audit/log.ts';
import { createDeadLetters } from '../src/jobs/dead-letters.ts';
import { createOutbox, type OutboxOptions } from '../src/jobs/outbox.ts';
import { CLAIM, createOutboxStore, LOOK } from '../src/jobs/store.ts';
import { startApp } from './support/app.ts';
import { startIssuer } from './support/issuer.ts';
import { freePort } from './support/ports.ts';
import { startSmtp } from './support/smtp.ts';
import { type Backend, DATABASES } from './support/stores.ts';
import { createVisitor } from './support/visitor.ts';

async function until<Value>(what: () => Promise<Value | undefined | false> | Value | undefined | false, ms = 8000) {
  for (const end = performance.now() + ms; ; await sleep(20)) {
    const value = await what();
    if (value) return value;
    if (performance.now() > end) throw new Error(`it did not happen within ${ms} ms: ${what}`);
  }
}

for (const [name, open] of Object.entries(DATABASES)) {
  describe(`the outbox on ${name}`, () => {
    let backend: Backend;
    before(async () => {
      backend = await open();
    });
    after(() => backend.close());

    function make(handlers: OutboxOptions['handlers']) {
      const { db, keyring } = backend;
      const store = createOutboxStore({ db, keyring });
      const audit = createAuditLog({ db, keyring, retentionMs: 1e12, onCheckpoint() {}, onError() {} });
      const outbox = createOutbox({ store, handlers, onFailure() {} });
      return { outbox, store, audit, letters: createDeadLetters({ db, store, audit }) };
    }

    const put = ({ outbox }: ReturnType<typeof make>, kind: string, payload: unknown, lifetimeMs?: number) =>
      backend.db.write(() => outbox.enqueue(kind, payload, lifetimeMs));

    test('a job exists exactly when the change does', async () => {
      const seen: unknown[] = [];
      const made = make({ greet: async (payload) => void seen.push(payload) });
      made.outbox.start();
      await assert.rejects(
        backend.db.write(function* () {
          yield* made.outbox.enqueue('greet', 'undone');
          throw new Error('the change fails');
        }),
      );
      await put(made, 'greet', 'done');
      made.outbox.wake();
      await until(() => seen.length > 0);
      await made.outbox.stop();
      assert.deepEqual(seen, ['done']);
    });

    test('two processes never deliver the same job in parallel, and each job is delivered once', async () => {
      const seen = new Map<number, number>();
      const running = new Set<number>();
      const handler = async (n: never) => {
        assert.ok(!running.has(n), 'nobody else is at it');
        running.add(n);
        await sleep(15);
        running.delete(n);
        seen.set(n, (seen.get(n) ?? 0) + 1);
      };
      const workers = [make({ count: handler }), make({ count: handler }), make({ count: handler })];
      for (let n = 0; n < 60; n += 1) await put(workers[0] as never, 'count', n);
      for (const { outbox } of workers) outbox.start();
      await until(() => seen.size === 60);
      for (const { outbox } of workers) await outbox.stop();
      assert.deepEqual([...new Set(seen.values())], [1]);
    });

    test('a delivery that lasts keeps its lease; one that was lost is taken again with the same id', async (t) => {
      const made = make({});
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
      await put(made, 'slow', 'x');
      const [first] = await made.store.claim('slow', 5, 1000);
      assert.ok(first);
      assert.deepEqual(await made.store.claim('slow', 5, 1000), [], 'it is leased');
      await made.store.renew(first, 60_000);
      t.mock.timers.setTime(Date.now() + 30_000);
      assert.deepEqual(await made.store.claim('slow', 5, 1000), [], 'the lease was renewed');
      t.mock.timers.setTime(Date.now() + 60_000);
      const [second] = await made.store.claim('slow', 5, 1000);
      assert.equal(second?.id, first.id);
      await made.store.done(first);
      assert.equal((await made.letters.list({ limit: 9 })).items.length, 1, 'who lost the lease changes nothing');
      await made.store.done(second);
      assert.equal((await made.letters.list({ limit: 9 })).items.length, 0);
    });

    test('a hanging kind of work does not delay another', async () => {
      let release = () => {};
      const gate = new Promise<void>((resolve) => {
        release = resolve;
      });
      const seen: unknown[] = [];
      const made = make({ hang: () => gate, quick: async (payload) => void seen.push(payload) });
      for (let n = 0; n < 25; n += 1) await put(made, 'hang', n);
      made.outbox.start();
      await put(made, 'quick', 'here');
      made.outbox.wake();
      await until(() => seen.length === 1, 2000);
      release();
      await until(async () => (await made.letters.list({ limit: 50 })).items.length === 0);
      await made.outbox.stop();
    });

    test('a delivery that never ends is given up at its deadline: told, counted, tried again', async () => {
      const tries: AbortSignal[] = [];
      const failures: string[] = [];
      const { db, keyring } = backend;
      const store = createOutboxStore({ db, keyring });
      const outbox = createOutbox({
        store,
        deadlineMs: 60,
        handlers: {
          dribble: async (_payload, { signal }) => {
            tries.push(signal);
            if (tries.length === 1) await new Promise(() => {});
          },
        },
        onFailure: ({ attempts, dead }, error) => failures.push(`${attempts} ${dead} ${(error as Error).message}`),
      });
      await db.write(() => outbox.enqueue('dribble', 'x'));
      outbox.start();
      await until(() => tries.length === 2);
      await outbox.stop();
      assert.deepEqual(failures, ['1 false The delivery did not end within 0.06 seconds.']);
      assert.deepEqual(
        tries.map(({ aborted }) => aborted),
        [true, false],
      );
      assert.deepEqual(await store.list(undefined, 9), [], 'it was delivered');
    });

    test('dead letters: listed, retried, discarded, swept after 30 days, each by the record', async (t) => {
      let broken = true;
      const seen: unknown[] = [];
      const made = make({
        post: async (payload) => {
          if (broken) throw Object.assign(new Error('the receiver refuses'), { permanent: true });
          seen.push(payload);
        },
      });
      for (const payload of ['a', 'b', 'c']) await put(made, 'post', payload);
      made.outbox.start();
      const dead = () => made.letters.list({ state: 'dead', limit: 50 });
      await until(async () => (await dead()).items.length === 3);
      const [one, two] = (await dead()).items;
      assert.match(String(one?.last_error), /refuses/);
      assert.ok(!JSON.stringify(one).includes('payload'));
      const page = await made.letters.list({ state: 'dead', limit: 2 });
      assert.equal(page.items.length, 2);
      assert.equal((await made.letters.list({ state: 'dead', limit: 2, cursor: page.next as string })).items.length, 1);
      broken = false;
      await made.letters.discard(two?.id as string);
      await assert.rejects(made.letters.discard(two?.id as string), { code: 'not_found' });
      await made.letters.retry(one?.id as string);
      made.outbox.wake();
      await until(() => seen.length === 1);
      assert.equal((await made.letters.retryAll()).length, 1);
      made.outbox.wake();
      await until(() => seen.length === 2);
      const recorded = (await made.audit.list({}, 50)).items.map(({ type }) => type);
      assert.deepEqual(recorded.sort(), ['outbox.discarded', 'outbox.retried', 'outbox.retried']);
      broken = true;
      await put(made, 'post', 'd');
      made.outbox.wake();
      await until(async () => (await dead()).items.length === 1);
      await made.outbox.stop();
      assert.equal(await made.letters.sweep(10), 0);
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 31 * 86_400_000 });
      assert.equal(await made.letters.sweep(10), 1);
    });

    test('what waits for its next try is tried at once when the operator asks, unless somebody is at it', async (t) => {
      let broken = true;
      let stay: (() => void) | undefined;
      const seen: unknown[] = [];
      const made = make({
        later: async (payload) => {
          if (broken) throw new Error('the receiver is away');
          seen.push(payload);
          if (payload === 'slow') await new Promise<void>((resolve) => (stay = resolve));
        },
      });
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
      for (const payload of ['a', 'b', 'slow']) await put(made, 'later', payload);
      made.outbox.start();
      const waiting = async () => (await made.letters.list({ state: 'waiting', limit: 50 })).items;
      const tried = async () => (await waiting()).filter((each) => each.attempts > 0 && each.last_error !== null);
      await until(async () => (await tried()).length === 3);
      // The clock of this test stands still, so that no pause ends by itself.
      const [one] = await waiting();
      broken = false;
      await made.letters.retry(one?.id as string);
      made.outbox.wake();
      await until(() => seen.length === 1);
      assert.equal((await made.letters.retryAll()).length, 2);
      made.outbox.wake();
      await until(() => stay !== undefined && seen.length === 3);
      const [slow] = await until(async () => (await waiting()).length === 1 && (await waiting()));
      await assert.rejects(made.letters.retry(slow?.id as string), { code: 'conflict', message: /being delivered/ });
      assert.deepEqual(await made.letters.retryAll(), []);
      stay?.();
      await made.outbox.stop();
      assert.deepEqual(seen.sort(), ['a', 'b', 'slow']);
      assert.deepEqual(await waiting(), []);
    });

    test('what expired is not delivered, and can not be tried again when it holds no longer', async (t) => {
      const made = make({ code: async () => assert.fail('an expired code was sent') });
      await put(made, 'code', '123456', 600_000);
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 700_000 });
      made.outbox.start();
      const [letter] = await until(async () => {
        const { items } = await made.letters.list({ state: 'dead', limit: 5 });
        return items.length > 0 && items;
      });
      await made.outbox.stop();
      assert.match(String(letter?.last_error), /expired/);
      await assert.rejects(made.letters.retry(letter?.id as string), { code: 'conflict' });
      assert.deepEqual(await made.letters.retryAll(), []);
      await made.letters.discard(letter?.id as string);
    });
  });
}

test('a lane looks only at its own jobs, whatever waits in the others', async (t) => {
  const { db, close } = await (DATABASES['SQLite'] as () => Promise<Backend>)();
  t.after(close);
  for (const [sql, params] of [
    [LOOK, ['mail', 1, 1]],
    [CLAIM, [1, 'mail', 1, 1, 10, 1]],
  ] as const) {
    const plan = await db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...params);
    const words = plan.map(({ detail }) => detail).join('; ');
    assert.match(words, /SEARCH outbox USING (COVERING )?INDEX \w+ \(kind=\? AND state=\? AND due_at<\?\)/);
    assert.doesNotMatch(words, /SCAN outbox|TEMP B-TREE/);
  }
});

async function register(app: { url: string }, email: string): Promise<{ ms: number; url: string }> {
  const visitor = createVisitor(app.url);
  const login = await visitor.open('/account');
  const page = await visitor.open(login.url.replace('/login/', '/register/'));
  const started = performance.now();
  const answer = await visitor.submit(
    page,
    { email, name: 'Ada', password: 'a long enough sentence' },
    '^/register/[^/]+$',
  );
  return { ms: performance.now() - started, url: answer.url };
}

const smtpEnv = (port: number) => ({
  LATCHKEY_SMTP_URL: `smtp://127.0.0.1:${port}?tls=off`,
  LATCHKEY_MAIL_FROM: 'no-reply@example.com',
});

test('SMTP is down: pages answer at once, and the mail leaves when it is back', async (t) => {
  const port = await freePort();
  const app = await startApp(t, { env: smtpEnv(port) });
  const { ms, url } = await register(app, 'ada@example.com');
  assert.match(url, /\/verify\//);
  assert.ok(ms < 1500, `${ms} ms`);
  const waiting = await until(async () => {
    const { items } = await app.services.deadLetters.list({ limit: 5 });
    return items[0]?.last_error ? items : undefined;
  });
  assert.equal(waiting[0]?.state, 'waiting');
  const smtp = await startSmtp(t, {}, port);
  await until(() => smtp.received.length === 1, 10_000);
  assert.deepEqual(smtp.received[0]?.to, ['ada@example.com']);
});

test('SMTP is slow: pages answer at once and the mail arrives once', async (t) => {
  const smtp = await startSmtp(t, { onMailFrom: (_address, _session, done) => void setTimeout(done, 1500) });
  const app = await startApp(t, { env: smtpEnv(smtp.port) });
  const { ms } = await register(app, 'ada@example.com');
  assert.ok(ms < 1500, `${ms} ms`);
  await until(() => smtp.received.length === 1);
  await sleep(300);
  assert.equal(smtp.received.length, 1);
});

test('SMTP rejects the address: pages answer as ever, and the operator finds the dead letter', async (t) => {
  const refuse = (_address: unknown, _session: unknown, done: (error?: Error) => void) =>
    done(Object.assign(new Error('no such mailbox'), { responseCode: 550 }));
  const smtp = await startSmtp(t, { onRcptTo: refuse });
  const app = await startApp(t, { env: smtpEnv(smtp.port) });
  const { ms, url } = await register(app, 'ada@example.com');
  assert.ok(ms < 1500, `${ms} ms`);
  assert.match(url, /\/verify\//);
  const letter = await until(async () => (await app.services.deadLetters.list({ state: 'dead', limit: 5 })).items[0]);
  assert.match(String(letter.last_error), /no such mailbox/);
});

test('kill -9 in the middle of a delivery: it is delivered after the restart, with the same id', async (t) => {
  let hang = true;
  const ids: string[] = [];
  const smtp = await startSmtp(t, {
    onMailFrom: (_address, _session, done) => {
      if (!hang) return done();
      ids.push('begun');
    },
  });
  const issuer = await startIssuer(t, { env: smtpEnv(smtp.port) });
  await register(issuer, 'ada@example.com');
  await until(() => ids.length > 0);
  const before = JSON.parse((await issuer.run('outbox', 'list', '--json')).stdout).items;
  assert.equal(before.length, 1);
  await issuer.stop('SIGKILL');
  hang = false;
  await issuer.start();
  await until(() => smtp.received.length === 1, 25_000);
  assert.ok(smtp.received[0]?.raw.includes(before[0].id), 'the receiver can tell a repetition by the id');
});
