/** What is done in every request and made cheap: identifiers, sealed rows, random bytes, durations. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Histogram, Registry } from 'prom-client';
import { mayBe, newIdentifier, storedIdentifier } from '../src/artifacts/identifier.ts';
import { createKeyring } from '../src/keyring/keyring.ts';
import { createOpened } from '../src/keyring/opened.ts';
import { takeRandom } from '../src/keyring/random.ts';
import type { DataKeyRow } from '../src/keyring/store.ts';
import { createDurations } from '../src/ops/durations.ts';

const KINDS = ['AccessToken', 'ClientCredentials', 'RefreshToken', 'AuthorizationCode', 'DeviceCode'];

test('a token is looked for among its own kind, one from before the marks among all', () => {
  for (const kind of KINDS) {
    const id = newIdentifier(kind);
    assert.deepEqual(
      KINDS.filter((each) => mayBe(each, id)),
      [kind],
    );
    assert.equal(mayBe('Session', id), true, 'kinds without a mark are never ruled out');
  }
  const earlier = newIdentifier();
  assert.equal(earlier.length, 55);
  for (const id of [earlier, 'of another making', 'x'.repeat(55)]) assert.ok(KINDS.every((kind) => mayBe(kind, id)));
});

test('at rest identifiers of every form keep their time and nothing else', () => {
  for (const id of [newIdentifier(), newIdentifier('RefreshToken')]) {
    const stored = storedIdentifier(id);
    assert.equal(stored.slice(0, 12), id.slice(0, 12));
    assert.equal(stored.length, 12 + 43);
    assert.ok(!stored.includes(id.slice(13)));
  }
  assert.equal(storedIdentifier('of another making').length, 43);
});

test('a row that was sealed or opened a moment ago opens in its own place only, as a new object', async () => {
  const rows: DataKeyRow[] = [];
  const store = {
    all: async () => rows,
    async ensure(more: DataKeyRow[]) {
      rows.push(...more);
      return rows;
    },
  };
  const options = { store: store as never, secretKeys: [randomBytes(32)] };
  const [keyring, another] = [await createKeyring(options), await createKeyring(options)];
  const sealed = keyring.sealJson('payload', { list: [1] }, 'grants|payload|1');
  // Not the last character: some of its bits may mean nothing.
  const changed = `${sealed.slice(0, -5)}${sealed.at(-5) === 'A' ? 'B' : 'A'}${sealed.slice(-4)}`;
  for (const ring of [keyring, another]) {
    const first = ring.openJson<{ list: number[] }>('payload', sealed, 'grants|payload|1');
    first.list.push(2);
    assert.deepEqual(ring.openJson('payload', sealed, 'grants|payload|1'), { list: [1] });
    assert.throws(() => ring.openJson('payload', sealed, 'grants|payload|2'));
    assert.throws(() => ring.openJson('outbox', sealed, 'grants|payload|1'));
    assert.throws(() => ring.openJson('payload', changed, 'grants|payload|1'));
  }
});

test('random bytes come once, across the edges of the pool', () => {
  const seen = new Set(Array.from({ length: 3000 }, () => takeRandom(12).toString('hex')));
  assert.equal(seen.size, 3000);
  const kept = takeRandom(32);
  const before = kept.toString('hex');
  for (let n = 0; n < 1000; n += 1) takeRandom(32);
  assert.equal(kept.toString('hex'), before, 'what was given out is nobody else’s');
});

test('durations are told as prom-client tells them', async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const about = { name: 'some_seconds', help: 'How long.', labelNames: ['area', 'method'], buckets: [0.1, 0.5, 1] };
  const tell = createDurations({ ...about, registry: ours });
  const histogram = new Histogram({ ...about, registers: [theirs] });
  for (const [seconds, area, method] of [
    [0.05, 'token', 'POST'],
    [0.1, 'token', 'POST'],
    [0.75, 'token', 'GET'],
    [3, 'page', 'GET'],
  ] as const) {
    tell(seconds, area, method);
    histogram.labels(area, method).observe(seconds);
  }
  const sorted = async (registry: Registry) => (await registry.metrics()).split('\n').sort();
  assert.deepEqual(await sorted(ours), await sorted(theirs));
});

test('of what was opened only so much is remembered, and what is asked for stays', () => {
  const opened = createOpened();
  opened.keep('always', 'here', 'asked for');
  opened.keep('once', 'here', 'forgotten');
  for (let n = 0; n < 10_000; n += 1) {
    opened.keep(`row ${n}`, 'here', 'text');
    assert.equal(opened.find('always', 'here'), 'asked for');
  }
  assert.equal(opened.find('once', 'here'), undefined);
  assert.equal(opened.find('row 5000', 'here'), undefined);
  assert.equal(opened.find('row 9999', 'here'), 'text');
  assert.equal(opened.find('row 9999', 'there'), undefined, 'in its own place only');
  opened.keep('x'.repeat(5000), 'here', 'long');
  assert.equal(opened.find('x'.repeat(5000), 'here'), undefined);
});
