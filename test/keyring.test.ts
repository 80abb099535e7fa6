/** What is sealed at rest: opens where it lies and nowhere else, changed not at all, and never looks the same twice. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Keyring, Purpose } from '../src/keyring/keyring.ts';
import { DATABASES } from './support/stores.ts';

let keyring: Keyring;
let end: () => Promise<void>;
before(async () => {
  const opened = await (DATABASES['SQLite'] as (typeof DATABASES)[string])();
  keyring = opened.keyring;
  end = opened.close;
});
after(() => end());

const OTHERS: Purpose[] = ['payload', 'client', 'signing', 'code', 'outbox', 'audit', 'limits', 'recovery'];

test('X11: a sealed value opens in its own row and for its own purpose only', () => {
  const sealed = keyring.seal('totp', 'the secret', 'totp|ada|1');
  assert.equal(keyring.open('totp', sealed, 'totp|ada|1').toString(), 'the secret');
  for (const context of ['totp|ada|2', 'totp|eve|1', 'totp|ada|', ''])
    assert.throws(() => keyring.open('totp', sealed, context), context);
  for (const purpose of OTHERS) assert.throws(() => keyring.open(purpose, sealed, 'totp|ada|1'), purpose);
  const macs = new Set([...OTHERS, 'totp' as const].map((purpose) => keyring.mac(purpose, '123456')));
  assert.equal(macs.size, OTHERS.length + 1, 'each purpose has a key of its own');
});

test('X11: what was opened once is remembered for its own row only', () => {
  const sealed = keyring.sealJson('payload', { sub: 'ada' }, 'sessions|payload|1');
  assert.deepEqual(keyring.openJson('payload', sealed, 'sessions|payload|1'), { sub: 'ada' });
  assert.throws(() => keyring.openJson('payload', sealed, 'sessions|payload|2'));
});

test('X11: one bit anywhere, a part less or another version, and it does not open', () => {
  const sealed = keyring.seal('totp', randomBytes(20), 'a row');
  const [version, id, ...parts] = sealed.split('.');
  for (const [index, part] of parts.entries()) {
    const bytes = Buffer.from(part, 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      const spoiled = [version, id, ...parts.with(index, changed.toString('base64url'))].join('.');
      assert.throws(() => keyring.open('totp', spoiled, 'a row'), `part ${index}, byte ${at}`);
    }
  }
  const [nonce, tag, text] = parts as [string, string, string];
  const short = Buffer.from(tag, 'base64url').subarray(0, 4).toString('base64url');
  for (const spoiled of ['', 'v1', [version, id, nonce, tag].join('.'), [version, id, nonce, short, text].join('.')])
    assert.throws(() => keyring.open('totp', spoiled, 'a row'), spoiled);
  assert.throws(() => keyring.open('totp', sealed.replace(/^v1/, 'v2'), 'a row'));
});

test('X11: no nonce comes twice', () => {
  const nonces = new Set(Array.from({ length: 5000 }, () => keyring.seal('totp', 'x', 'a row').split('.')[2]));
  assert.equal(nonces.size, 5000);
});
