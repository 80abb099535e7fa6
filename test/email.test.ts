/** One spelling for each address: the row "identifier normalisation" of SECURITY, T18 and T19. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalEmail, displayEmail, domainAllowed } from '../src/accounts/email.ts';

const canonical = (input: string) => canonicalEmail(input)?.canonical ?? null;

test('an address is compared in lower case and kept as the person writes it', () => {
  assert.deepEqual(canonicalEmail(' Ada.Lovelace+Notes@Example.COM\t'), {
    canonical: 'ada.lovelace+notes@example.com',
    address: 'Ada.Lovelace+Notes@example.com',
  });
  assert.equal(canonical("o'brien_{x}=1%2@mail.example.co.uk"), "o'brien_{x}=1%2@mail.example.co.uk");
});

test('an international domain becomes its A-label and is shown in its own script', () => {
  const email = canonicalEmail('Zoe@BÜCHER.example');
  assert.deepEqual(email, { canonical: 'zoe@xn--bcher-kva.example', address: 'Zoe@xn--bcher-kva.example' });
  assert.equal(displayEmail('Zoe@xn--bcher-kva.example'), 'Zoe@bücher.example');
  assert.equal(canonical('zoe@bu\u0308cher.example'), 'zoe@xn--bcher-kva.example');
  assert.equal(canonical('zoe@xn--bcher-kva.example'), 'zoe@xn--bcher-kva.example');
  assert.equal(canonical('zoe@почта.рф'), 'zoe@xn--80a1acny.xn--p1ai');
  assert.equal(displayEmail('ada@example.com'), 'ada@example.com');
});

test('T19: a letter that folds into ASCII is refused and never becomes another person', () => {
  for (const input of [
    '\u212Aim@example.com',
    'ma\u017Fk@example.com',
    'kim@\u212Aelvin.example',
    'K\u0130m@example.com',
  ])
    assert.equal(canonical(input), null, input);
  for (const input of ['kévin@example.com', 'ａda@example.com', 'ada@ｅxample.com', 'ada@ﬁrm.example', 'ada@½.example'])
    assert.equal(canonical(input), null, input);
});

test('a second address can’t ride along, by whichever at sign, comma, quote, comment or line end', () => {
  for (const input of [
    'ada@example.com\uFF20evil.example',
    'ada\uFF20example.com',
    'ada@example.com,eve@evil.example',
    'ada@example.com eve@evil.example',
    'ada@example.com;eve@evil.example',
    'ada@evil.example@example.com',
    '"ada@evil.example"@example.com',
    '"ada@evil.example x"@example.com',
    'ada(comment)@example.com',
    'Ada <ada@example.com>',
    '<ada@example.com>',
    'ada@example.com>',
    'ada@example.com\r\nBcc: eve@evil.example',
    'ada\r\nBcc: eve@evil.example',
    'ada@example.com\n',
    '\nada@example.com',
    'ada\0@example.com',
    'ada@example.com\0',
    'ada@exam\tple.com',
    'a:ada@example.com;',
    'ada\u202e@example.com',
    'ada\u200b@example.com',
    'ada@exa\u00admple.com',
  ])
    assert.equal(canonical(input), null, JSON.stringify(input));
});

test('what is not an address is refused', () => {
  for (const input of [
    '',
    ' ',
    '@',
    'ada',
    'ada@',
    '@example.com',
    '.ada@example.com',
    'ada.@example.com',
    'a..b@example.com',
  ])
    assert.equal(canonical(input), null, input);
  for (const host of [
    ...[
      'example',
      'localhost',
      '-a.example',
      'a-.example',
      'a..example',
      '.example.com',
      'example.com.',
      'exa_mple.com',
    ],
    ...['127.0.0.1', '[127.0.0.1]', '[IPv6:::1]', '127.1', '0x7f.1', 'example.1', 'a.0x1', 'ex%61mple.com', 'a.b.c:25'],
    ...[
      'xn--a.example',
      'xn--.example',
      'xn--bcher-kva-.example',
      'a。example',
      'example.com/x',
      'example.com?x',
      'a.c',
    ],
  ])
    assert.equal(canonical(`ada@${host}`), null, host);
});

test('the lengths of RFC 5321 hold: 64 for the local part, 63 for a label, 254 for all', () => {
  assert.notEqual(canonical(`${'a'.repeat(64)}@example.com`), null);
  assert.equal(canonical(`${'a'.repeat(65)}@example.com`), null);
  assert.notEqual(canonical(`a@${'b'.repeat(63)}.example`), null);
  assert.equal(canonical(`a@${'b'.repeat(64)}.example`), null);
  const domain = (length: number) => `${`${'c'.repeat(60)}.`.repeat(3)}${'d'.repeat(length - 191)}.example`;
  for (const [length, taken] of [
    [252, true],
    [253, false],
  ] as const)
    assert.equal(canonical(`a@${domain(length)}`) !== null, taken, `${length}`);
});

test('localhost is a domain only where the caller says so', () => {
  assert.deepEqual(canonicalEmail('Ada@localhost', { localhost: true }), {
    canonical: 'ada@localhost',
    address: 'Ada@localhost',
  });
  assert.equal(canonicalEmail('ada@other', { localhost: true }), null);
});

test('allowed domains: exact, below with a star, in any spelling; none means all', () => {
  assert.equal(domainAllowed('ada@example.com', []), true);
  assert.equal(domainAllowed('ada@example.com', ['Example.COM']), true);
  assert.equal(domainAllowed('ada@mail.example.com', ['example.com']), false);
  assert.equal(domainAllowed('ada@mail.example.com', ['other.example', '*.example.com']), true);
  assert.equal(domainAllowed('ada@example.com', ['*.example.com']), false);
  assert.equal(domainAllowed('ada@notexample.com', ['example.com', '*.example.com']), false);
  assert.equal(domainAllowed('zoe@xn--bcher-kva.example', ['bücher.example']), true);
  assert.equal(domainAllowed('ada@example.com', ['']), false);
  assert.equal(domainAllowed('ada@localhost', ['localhost']), true);
});

const localPart = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[A-Za-z0-9_+-]{1,10}){0,2}$/);
const label = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9]{0,8}[A-Za-z0-9])?$/);
const wellFormed = fc
  .tuple(localPart, label, label, fc.constantFrom('com', 'EXAMPLE', 'xn--p1ai'))
  .map(([local, ...rest]) => `${local}@${rest.join('.')}`);

test('property: any dot-atom address is taken, and canonicalising twice changes nothing', () => {
  fc.assert(
    fc.property(wellFormed, (input) => {
      const email = canonicalEmail(input);
      assert.ok(email, input);
      assert.equal(email.canonical, input.toLowerCase());
      assert.deepEqual(canonicalEmail(email.canonical), { canonical: email.canonical, address: email.canonical });
      assert.equal(canonicalEmail(email.address)?.canonical, email.canonical);
    }),
  );
});

test('property: whatever is typed, the result is one plain ASCII address or nothing', () => {
  const piece = fc.oneof(
    wellFormed,
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.constantFrom(
      '@',
      '.',
      ' ',
      '"',
      ',',
      '<',
      '>',
      '\r\n',
      '\0',
      '%40',
      '\u212A',
      '\uFF20',
      '\u3002',
      'xn--',
      'ß',
      'ς',
    ),
  );
  const typed = fc.oneof(
    fc.array(piece, { maxLength: 6 }).map((parts) => parts.join('')),
    fc.webUrl().map((url) => `a@${url.slice(8)}`),
  );
  fc.assert(
    fc.property(typed, (input) => {
      const email = canonicalEmail(input);
      if (!email) return;
      assert.match(email.canonical, /^[!-?^-~]+@[a-z0-9.-]+$/);
      assert.equal(email.canonical.split('@').length, 2);
      assert.equal(email.address.toLowerCase(), email.canonical);
      assert.ok(email.canonical.length <= 254);
      assert.deepEqual(canonicalEmail(email.canonical)?.canonical, email.canonical);
      assert.equal(canonicalEmail(displayEmail(email.address))?.canonical, email.canonical);
    }),
    { numRuns: 5000 },
  );
});

test('property: a character outside ASCII never gives an address made of ASCII labels only', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), fc.boolean(), (character, inLocal) => {
      if (/[\0-\x7f\u00a0]/.test(character)) return;
      const email = canonicalEmail(inLocal ? `a${character}b@example.com` : `ab@exa${character}mple.com`);
      assert.ok(email === null || email.canonical.includes('@xn--'), JSON.stringify(character));
    }),
    { numRuns: 20_000 },
  );
});
