/** Which passwords are refused, and with which reason: SECURITY A01 to A05. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { commonPasswords, rankedList } from '../bin/common-passwords.ts';
import { createPasswordPolicy } from '../src/accounts/password-policy.ts';
import { cpuTime } from './support/cpu-time.ts';

const twelve = createPasswordPolicy({ minLength: 12 });
const eight = createPasswordPolicy({ minLength: 8 });
const fifteen = createPasswordPolicy({ minLength: 15 });
const list = readFileSync(new URL('../src/accounts/common-passwords.txt', import.meta.url), 'utf8')
  .split('\n')
  .slice(0, -1);
const ADA = { email: 'ada.lovelace@example.com', name: 'Ada Lovelace', service: 'Latchkey' };

/** The code of the one fault, or `ok`. */
const verdict = (policy: typeof twelve, password: string, about?: typeof ADA) =>
  policy.check(password, about)[0]?.code ?? 'ok';

test('A01: the exact length is taken and one below is refused, for each policy', () => {
  const letters = 'kvq wdz mrb xjt fgh';
  for (const policy of [eight, twelve, fifteen]) {
    assert.equal(verdict(policy, letters.slice(0, policy.minLength)), 'ok');
    assert.deepEqual(policy.check(letters.slice(0, policy.minLength - 1)), [
      { field: 'password', code: 'password_too_short', values: { min: policy.minLength } },
    ]);
  }
});

test('A02: characters are counted as code points after NFC, not as UTF-16 units or bytes', () => {
  assert.equal(verdict(eight, '🐙🦊🐼🐧🐸🐨🐯🦁'), 'ok');
  assert.equal(verdict(eight, '🐙🦊🐼🐧🐸🐨🐯'), 'password_too_short');
  assert.equal(verdict(eight, `${'é'.normalize('NFD').repeat(2)}kvqwd`), 'password_too_short');
  assert.equal(verdict(eight, `${'é'.normalize('NFD').repeat(2)}kvqwdz`), 'ok');
});

test('A03: 256 code points and 1,024 bytes are the bounds, and beyond them it is refused', () => {
  const many = (length: number, alphabet: string[]) =>
    Array.from({ length }, (_, index) => alphabet[(index * index) % alphabet.length]).join('');
  const latin = [...'abcdefghijk'];
  const wide = [...'🐙🦊🐼🐧🐸🐨🐯🦁🐔🐺🐗'];
  assert.equal(verdict(twelve, many(64, latin)), 'ok');
  assert.equal(verdict(twelve, many(256, latin)), 'ok');
  assert.equal(verdict(twelve, many(256, wide)), 'ok'); // 1,024 bytes
  assert.deepEqual(twelve.check(many(257, latin)), [
    { field: 'password', code: 'password_too_long', values: { max: 256 } },
  ]);
  assert.equal(verdict(twelve, many(256, [...'ᾂᾃᾄᾅᾆ']).normalize('NFD')), 'ok'); // four code points each before NFC
  assert.equal(verdict(twelve, 'x'.repeat(1025)), 'password_too_long');
  assert.equal(verdict(twelve, 'e\u0301'.repeat(5_000_000)), 'password_too_long');
});

test('A04: a long plain phrase passes, whatever kinds of characters it has', () => {
  // Unlisted by its length: no rule of composition says that characters must differ.
  assert.equal(verdict(fifteen, 'a'.repeat(64), ADA), 'ok');
  for (const phrase of ['seven geese walk home', 'sevengeesewalkhome', 'зимой гуси идут домой', '874 213 906 551 377'])
    assert.equal(verdict(fifteen, phrase, ADA), 'ok', phrase);
});

test('A05: the list has at least 3,000 entries for each policy, is sorted and has no doubles', () => {
  const entries = (length: number) => list.filter((entry) => [...entry].length >= length).length;
  assert.ok(entries(15) >= 3000, `${entries(15)} of 15`);
  assert.ok(entries(12) >= 20_000, `${entries(12)} of 12`);
  assert.ok(entries(8) >= 40_000, `${entries(8)} of 8`);
  assert.deepEqual(list, [...new Set(list)].sort());
});

test('A05: the list is what the documented rules make of the installed dictionary', () => {
  assert.deepEqual(list, commonPasswords(rankedList()));
});

test('A05: every listed password is refused by every policy, also with capitals', () => {
  for (const entry of list) assert.notEqual(verdict(eight, entry), 'ok', entry);
  const common = ['password1234', 'Password123!', 'iloveyou1234', '1qaz2wsx3edc', 'Summer2025!', 'changeme1234'];
  for (const entry of common) assert.equal(verdict(eight, entry), 'password_common', entry);
  assert.equal(verdict(twelve, 'PASSWORDPASSWORD'), 'password_common');
  assert.equal(verdict(eight, 'baseball'), 'password_common');
  assert.equal(verdict(twelve, 'baseball'), 'password_too_short');
});

test('A05: one character, a common group, and characters in a row are listed up to 24 characters', () => {
  for (const entry of [
    'zzzzzzzzzzzz',
    '            ',
    '!'.repeat(24),
    'abcabcabcabcabcab',
    '123123123123123',
    '696969696969',
  ])
    assert.equal(verdict(twelve, entry), 'password_common', entry);
  for (const entry of ['fghijklmnopqrst', 'tsrqponmlkjihgf', '5678901234567', '3210987654321'])
    assert.equal(verdict(twelve, entry), 'password_common', entry);
  assert.equal(verdict(twelve, 'zzzzzzzzzzzk'), 'ok');
});

test("A05: the person's and the service's own names are refused, also doubled or with a year", () => {
  const own = ['ada.lovelace@example.com', 'Ada.Lovelace', 'adalovelaceada', 'AdaLovelace1815!', 'lovelace.ada.12'];
  const service = ['latchkeylatchkey', 'Latchkey-2026!', 'ada-latchkey-1', 'adaexample.com'];
  for (const entry of [...own, ...service])
    assert.equal(verdict(twelve, entry, ADA), 'password_contains_identity', entry);
  for (const entry of own) assert.equal(verdict(twelve, entry), 'ok', `${entry} of somebody else`);
});

test('a name inside a longer phrase passes', () => {
  for (const entry of ['lovelace wrote the first one', 'ada-9174-2206-5531', 'latchkeys and hinges', 'com com geese'])
    assert.equal(verdict(twelve, entry, ADA), 'ok', entry);
});

test('names in another script or with accents count as well', () => {
  const about = { email: 'x1@example.com', name: 'Zoë Łukasiewicz', service: 'Ключник' };
  assert.equal(verdict(twelve, 'zoe\u0308łukasiewicz', about), 'password_contains_identity');
  assert.equal(verdict(twelve, 'ключникКЛЮЧНИК', about), 'password_contains_identity');
});

test('half of a surrogate pair is refused, because all halves would hash alike', () => {
  assert.equal(verdict(twelve, 'seven geese \ud83d'), 'password_malformed');
});

test('any text gets an answer with at most one reason, and quickly', () => {
  const anything = fc.record({ email: fc.string(), name: fc.string({ unit: 'binary' }), service: fc.string() });
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), anything, (password, about) => {
      assert.ok(twelve.check(password, about).length <= 1);
    }),
  );
  const about = { email: `${'ab.'.repeat(20)}ab@${'ab.'.repeat(60)}ab`, name: 'ab '.repeat(60) };
  const took = cpuTime(() => void twelve.check(`${'ab'.repeat(127)}c`, about));
  assert.ok(took < 100, `${took} ms`);
});
