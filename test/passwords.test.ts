/** Hashing and comparing passwords: SECURITY A02, A03, A06, A07 and T13. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import argon2 from 'argon2';
import fc from 'fast-check';
import { createGate } from '../src/accounts/gate.ts';
import { createPasswords } from '../src/accounts/passwords.ts';
import { AppError } from '../src/errors.ts';

const CHEAP = { memoryKiB: 1024, passes: 2, concurrency: 2 };

test('A07: a hash is Argon2id with 19 MiB and two passes unless the settings say otherwise', async () => {
  const hash = await createPasswords().hash('correct horse battery');
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
});

test('the right password is valid, another is not, and two hashes of one password differ', async () => {
  const passwords = createPasswords(CHEAP);
  const [first, second] = await Promise.all([passwords.hash('a long enough one'), passwords.hash('a long enough one')]);
  assert.notEqual(first, second);
  assert.deepEqual(await passwords.verify(first, 'a long enough one'), { valid: true, rehash: false });
  assert.deepEqual(await passwords.verify(first, 'A long enough one'), { valid: false, rehash: false });
});

test('A02: every character matters, the last of 200 and the 73rd byte', async () => {
  const passwords = createPasswords(CHEAP);
  const long = 'x'.repeat(72) + 'y'.repeat(128);
  const hash = await passwords.hash(long);
  assert.equal((await passwords.verify(hash, long)).valid, true);
  assert.equal((await passwords.verify(hash, `${long.slice(0, -1)}z`)).valid, false);
  assert.equal((await passwords.verify(hash, `${long.slice(0, 72)}z${long.slice(73)}`)).valid, false);
  const withNul = await passwords.hash('before\0after');
  assert.equal((await passwords.verify(withNul, 'before\0other')).valid, false);
});

test('A06: both spellings of an accent sign in; case and width are not folded', async () => {
  const passwords = createPasswords(CHEAP);
  const hash = await passwords.hash('Ge\u0301ne\u0301ration Ａ'); // decomposed, with a full-width A
  assert.equal((await passwords.verify(hash, 'Génération Ａ'.normalize('NFC'))).valid, true);
  assert.equal((await passwords.verify(hash, 'génération Ａ')).valid, false);
  assert.equal((await passwords.verify(hash, 'Génération A')).valid, false);
});

test('A07: a hash with other parameters still opens and asks to be made again, but only for the right password', async () => {
  const before = await createPasswords(CHEAP).hash('a long enough one');
  const raised = createPasswords({ ...CHEAP, passes: 3 });
  assert.deepEqual(await raised.verify(before, 'a long enough one'), { valid: true, rehash: true });
  assert.deepEqual(await raised.verify(before, 'something else'), { valid: false, rehash: false });
  const other = await argon2.hash('a long enough one', {
    type: argon2.argon2i,
    memoryCost: 1024,
    timeCost: 2,
    parallelism: 1,
  });
  assert.deepEqual(await createPasswords(CHEAP).verify(other, 'a long enough one'), { valid: true, rehash: true });
});

test('A07: with a pepper the database alone proves no password', async () => {
  const peppered = createPasswords({ ...CHEAP, pepper: Buffer.alloc(32, 7) });
  const hash = await peppered.hash('a long enough one');
  assert.equal((await peppered.verify(hash, 'a long enough one')).valid, true);
  assert.equal((await createPasswords(CHEAP).verify(hash, 'a long enough one')).valid, false);
  const another = createPasswords({ ...CHEAP, pepper: Buffer.alloc(32, 8) });
  assert.equal((await another.verify(hash, 'a long enough one')).valid, false);
});

test('an unknown account costs as much as a known one and is never valid', async () => {
  const passwords = createPasswords({ memoryKiB: 8192, passes: 3, concurrency: 1 });
  const hash = await passwords.hash('a long enough one');
  // In turn, so that whatever else the machine does meets both alike.
  const times = new Map<string | null, number[]>([
    [hash, []],
    [null, []],
  ]);
  for (let round = 0; round < 15; round++) {
    for (const [stored, took] of times) {
      const startedAt = performance.now();
      assert.equal((await passwords.verify(stored, 'some other word')).valid, false);
      took.push(performance.now() - startedAt);
    }
  }
  const [known, unknown] = [...times.values()].map((took) => took.sort((a, b) => a - b)[7]) as [number, number];
  assert.ok(unknown > known * 0.5 && unknown < known * 2, `${unknown.toFixed(1)} ms against ${known.toFixed(1)} ms`);
});

test('any password verifies against its own hash', async () => {
  const passwords = createPasswords({ memoryKiB: 64, passes: 2, concurrency: 2 });
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 64 }), async (password) => {
      assert.equal((await passwords.verify(await passwords.hash(password), password)).valid, true);
    }),
    { numRuns: 60 },
  );
});

test('T13: at most `concurrency` hashes run, `queue` wait, and the next is told when to come back', async () => {
  const passwords = createPasswords({ ...CHEAP, queue: 3 });
  const work = Array.from({ length: 5 }, () => passwords.hash('a long enough one'));
  assert.deepEqual(passwords.stats(), { running: 2, waiting: 3, refused: 0 });
  await assert.rejects(passwords.hash('one too many here'), (error: unknown) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.code, 'busy');
    assert.ok((error.retryAfter ?? 0) >= 1);
    return true;
  });
  await Promise.all(work);
  assert.deepEqual(passwords.stats(), { running: 0, waiting: 0, refused: 1 });
});

test('a failed check gives its place back', async () => {
  const passwords = createPasswords({ ...CHEAP, concurrency: 1 });
  await assert.rejects(passwords.verify('not a hash at all', 'anything goes'));
  assert.deepEqual(passwords.stats(), { running: 0, waiting: 0, refused: 0 });
  assert.match(await passwords.hash('a long enough one'), /^\$argon2id\$/);
});

test('waiting callers are served in order of arrival, also when newcomers keep arriving', async () => {
  const gate = createGate({ concurrency: 1, queue: 10 });
  const order: number[] = [];
  const step = (name: number) => gate.run(async () => void order.push(name));
  const early = [1, 2, 3].map(step);
  await turn();
  await Promise.all([...early, ...[4, 5].map(step)]);
  assert.deepEqual(order, [1, 2, 3, 4, 5]);
});

test('who aborts while waiting leaves the queue at once; who aborts while running keeps the place to the end', async () => {
  const gate = createGate({ concurrency: 1, queue: 2 });
  const first = Promise.withResolvers<void>();
  const controllers = [new AbortController(), new AbortController()] as const;
  const running = gate.run(() => first.promise, controllers[0].signal);
  const waiting = gate.run(async () => assert.fail('never started'), controllers[1].signal);
  const behind = gate.run(async () => 'served');
  controllers[0].abort();
  controllers[1].abort(new Error('left'));
  await assert.rejects(waiting, /left/);
  assert.deepEqual(gate.stats(), { running: 1, waiting: 1, refused: 0 });
  first.resolve();
  await running;
  assert.equal(await behind, 'served');
  await assert.rejects(
    gate.run(async () => assert.fail('never started'), AbortSignal.abort(new Error('too late'))),
    /too late/,
  );
  assert.deepEqual(gate.stats(), { running: 0, waiting: 0, refused: 0 });
});
