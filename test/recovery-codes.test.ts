/** Recovery codes: shown once, each good once, forgiving of how they are typed (SECURITY A14, D3); and the races of both
 * kinds of codes on both engines. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { createSqlArtifacts } from '../src/artifacts/sql.ts';
import { SYSTEM } from '../src/audit/events.ts';
import { createAuditLog } from '../src/audit/log.ts';
import { createFactorParts } from '../src/factors/parts.ts';
import { startApp, type TestApp } from './support/app.ts';
import { codesOn, enrolled, inAccount, oath, oathBefore, secondStep } from './support/factors.ts';
import { signIn } from './support/flow.ts';
import { DATABASES } from './support/stores.ts';
import { formsOf } from './support/visitor.ts';

let app: TestApp;
const log: string[] = [];
const ends: Array<() => Promise<void>> = [];
before(async () => {
  const context = { after: (end: () => Promise<void>) => ends.push(end) };
  app = await startApp(context as never, { onLog: (line) => log.push(line) });
});
after(async () => {
  for (const end of ends) await end();
});

const made = (accountId: string) => app.services.recoveryCodes.create(accountId, { by: SYSTEM });

test('A14: a code replaces the authenticator once, however it is typed, and the person is told', async () => {
  const person = await enrolled(app);
  const codes = await made(person.id);
  assert.equal(new Set(codes).size, 10);
  for (const code of codes) assert.match(code, /^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
  const [first = '', second = ''] = codes;
  const sloppy = [
    first.toLowerCase().replaceAll('-', ''),
    ` ${second.replaceAll('-', ' – ').replaceAll('0', 'o').replaceAll('1', 'l')} `,
  ];
  for (const [index, typed] of sloppy.entries()) {
    const { visitor, page } = await secondStep(app, person);
    const way = await visitor.open(/href="([^"]+\/recovery)"/.exec(page.html)?.[1] as string);
    assert.match(way.html, /Use your authenticator app instead/);
    const done = await visitor.submit(way, { code: typed }, '/recovery$');
    assert.match(done.url, /code=/, done.html.slice(0, 1000));
    const mail = await app.mail(person.email, ({ text }) => text.includes(`You have ${9 - index} left`));
    assert.match(mail.subject, /recovery code of your Latchkey account was used/);
    assert.match(mail.html, /account\/security/);
  }
  const { visitor, page } = await secondStep(app, person);
  const way = await visitor.open(page.url.replace(/totp$/, 'recovery'));
  const used = await visitor.submit(way, { code: first }, '/recovery$');
  assert.equal(used.status, 400);
  assert.match(used.html, /This code was used already/);
  const wrong = await visitor.submit(way, { code: '0000-0000-0000-0000' }, '/recovery$');
  assert.match(wrong.html, /isn’t one of your recovery codes/);
  assert.equal((await app.services.recoveryCodes.count(person.id))?.left, 8);
});

test('new codes ask for a fresh second factor, replace the old, come as a page and as a file, and only once', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const person = await enrolled(app);
  const old = await made(person.id);
  const visitor = await inAccount(app, person);
  t.mock.timers.setTime(Date.now() + 11 * 60_000);
  const page = await visitor.open('/account/security/recovery');
  assert.match(page.html, /10 of 10 codes left/);
  const stale = await visitor.submit(page, {}, '/security/recovery$');
  const half = await signIn(visitor, stale, person);
  const back = await visitor.submit(half, { code: oath(person.secret) }, '/totp$');
  assert.equal(codesOn(back).length, 0);
  const shown = await visitor.submit(back, {}, '/security/recovery$');
  const codes = codesOn(shown);
  assert.equal(codes.length, 10);
  assert.equal(shown.headers.get('cache-control'), 'no-store');
  assert.equal(codesOn(await visitor.open('/account/security/recovery')).length, 0);
  await app.mail(person.email, ({ subject }) => subject.includes('New recovery codes'));

  const file = await visitor.submit(shown, {}, '/file$');
  assert.match(file.headers.get('content-type') ?? '', /^text\/plain/);
  assert.match(file.headers.get('content-disposition') ?? '', /attachment; filename="recovery-codes.txt"/);
  assert.equal(file.headers.get('cache-control'), 'no-store');
  assert.deepEqual(file.html.trim().split('\n').slice(2), codes);
  const form = formsOf(shown).find(({ action }) => action.endsWith('/file'));
  assert.ok(form);
  for (const forged of [old.join(' '), 'Call 555 now', [...codes.slice(1), '0000-0000-0000-0000'].join(' ')]) {
    const refused = await visitor.submit(shown, { codes: forged }, '/file$');
    assert.equal(refused.status, 403, 'no words but the codes themselves');
  }
  const prover = { accountId: person.id, address: person.email, by: SYSTEM };
  assert.equal(await app.services.recoveryCodes.prove(prover, old[0] as string), 'wrong');
});

test('who has no factor gets no codes', async () => {
  const person = await enrolled(app);
  const visitor = await inAccount(app, person);
  await app.services.factors.remove(person.id, person.factorId, { by: SYSTEM, kept: {} });
  assert.match((await visitor.open('/account/security/recovery')).url, /\/login\//, 'every session ended with it');
  const again = await signIn(visitor, await visitor.open('/account/security/recovery'), person);
  assert.match(again.html, /Set up a passkey or an authenticator app first/);
});

test('codes are in no table and no log', async () => {
  const person = await enrolled(app);
  const codes = await made(person.id);
  const { visitor, page } = await secondStep(app, person);
  await visitor.submit(
    await visitor.open(page.url.replace(/totp$/, 'recovery')),
    { code: codes[0] as string },
    '/recovery$',
  );
  const files = ['latchkey.db', 'latchkey.db-wal']
    .map((name) => readFileSync(join(app.dataDir, name), 'latin1'))
    .join();
  for (const code of codes.flatMap((each) => [each, each.replaceAll('-', '')])) {
    assert.ok(!files.includes(code) && !log.join('\n').includes(code));
  }
});

for (const [engine, open] of Object.entries(DATABASES)) {
  test(`on ${engine}: of a hundred at once one is accepted, and odd codes never (A11, A14)`, async (t) => {
    const { db, keyring, close } = await open();
    t.after(close);
    const audit = createAuditLog({ db, keyring, retentionMs: 0, onCheckpoint() {}, onError: assert.fail });
    const mails: unknown[] = [];
    const parts = createFactorParts({
      ...{ db, keyring, audit, serviceName: 'Latchkey', artifacts: createSqlArtifacts({ db, keyring }) },
      passkeyParty: { possible: true, id: 'localhost', origins: ['http://localhost'] },
      epochOf: async () => 0,
      requireSettled: async () => {},
      attempts: { attempt: (_attempt: unknown, work: () => Promise<never>) => work() } as never,
      outbox: {
        enqueue(_kind, mail) {
          mails.push(mail);
          return [].values() as never;
        },
        wake() {},
      },
      *endSessions() {},
      *requireHeld() {},
      recipient: async () => ({ to: 'ada@example.com', locale: null }),
    });
    const now = Date.now();
    const sql = `INSERT INTO accounts (id, email, email_canonical, status, created_at, updated_at) VALUES (?, ?, ?, 'active', ?, ?)`;
    await db.run(sql, 'a1', 'ada@example.com', 'ada@example.com', now, now);
    const { secret } = await parts.totp.begin({ accountId: 'a1', label: 'ada', holder: 'h' });
    const code = await oathBefore(secret);
    const proof = { accountId: 'a1', code, name: '', holder: 'h' };
    const added = await Promise.allSettled(Array.from({ length: 20 }, () => parts.totp.confirm(proof, { by: SYSTEM })));
    assert.equal(added.filter(({ status }) => status === 'fulfilled').length, 1, 'set up once');
    assert.equal((await parts.factors.of('a1')).length, 1);
    assert.equal(mails.length, 1);

    const prover = { accountId: 'a1', address: 'ada@example.com', by: SYSTEM };
    const hundred = <Result>(work: () => Promise<Result>) => Promise.all(Array.from({ length: 100 }, work));
    assert.equal(await parts.totp.prove(prover, code), 'used', 'the code of the set-up, too');
    const right = oath(secret);
    const verdicts = await hundred(() => parts.totp.prove(prover, right));
    assert.equal(verdicts.filter((verdict) => verdict === 'right').length, 1);
    assert.ok(verdicts.every((verdict) => verdict !== 'wrong'));

    const [first = ''] = await parts.recoveryCodes.create('a1', { by: SYSTEM });
    const uses = await hundred(() => parts.recoveryCodes.prove(prover, first));
    assert.equal(uses.filter((verdict) => verdict === 'right').length, 1);
    assert.equal((await parts.recoveryCodes.count('a1'))?.left, 9);

    const odd = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[0-9]{0,12}$/),
      fc.constant('١٢٣٤٥٦'),
    );
    await fc.assert(
      fc.asyncProperty(odd, async (typed) => {
        if (typed.normalize('NFKC').replaceAll(/[\s-]/g, '') === oath(secret, 1)) return;
        assert.notEqual(await parts.totp.prove(prover, typed), 'right');
        assert.equal(await parts.recoveryCodes.prove(prover, typed), 'wrong');
      }),
      { numRuns: 60 },
    );
    const wide = oath(secret, 1).replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit)));
    assert.equal(await parts.totp.prove(prover, wide), 'right', 'figures of an East Asian keyboard');
  });
}
