/** Text from outside stays text on every page and in every mail (SECURITY X09, P22). */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { MAILS, PAGES, sampleOf } from './support/pages.ts';
import { renderer, rendererFor, viewsDir } from './support/views.ts';

const ATTACK = `"'><img src=x onerror=alert(1)>&<script>\u2028</script>{{7*7}}<%= 1 %>`;
const KEPT = ['nav', 'kind', 'mode', 'notice', 'at', 'when', 'code', 'field', 'status', 'method', 'until', 'advice'];
/** Our own, from a file of ours: the only scripts that a page may have. */
const OWN_SCRIPT = /<script( type="module")? src="\/assets\/[\w.-]+"( nonce="n0"| defer)?><\/script>/g;

/** Every text of the data replaced; what chooses between looks, or must be a date, stays. */
function poisoned(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return KEPT.includes(key) || /(At|Url)$/.test(key) ? value : ATTACK;
  if (Array.isArray(value)) return value.map((each) => poisoned(each, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, poisoned(each, name)]));
}

test('templates print without escaping only what another template made', () => {
  const files = readdirSync(viewsDir, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ejs'));
  assert.ok(files.length > 40);
  for (const file of files) {
    const text = readFileSync(path.join(viewsDir, file), 'utf8');
    for (const [raw] of text.matchAll(/<%-[\s\S]*?%>/g)) assert.match(raw, /^<%- include\(/, file);
  }
});

let reached = 0;
for (const { id, template, data } of PAGES) {
  test(`markup in the values of the page ${id} is shown, not run`, () => {
    const html = renderer.html('en', template, poisoned(data) as object, { nonce: 'n0' });
    assert.doesNotMatch(html.replaceAll(OWN_SCRIPT, ''), /<img src=x|<script|"'>|'><img/);
    if (html.includes('&lt;img src=x')) reached += 1;
  });
}

test('the attack reached most pages', () => {
  assert.ok(reached > PAGES.length * 0.7, `${reached} of ${PAGES.length}`);
});

for (const { id, template, data } of MAILS) {
  test(`markup and line breaks in the values of the mail ${id} stay text`, () => {
    const mail = renderer.mail('en', template, {
      ...(poisoned(data) as object),
      code: `${ATTACK}\r\nBcc: eve@evil.example`,
    });
    assert.doesNotMatch(mail.html, /<img|<script|"'>/);
    assert.doesNotMatch(mail.subject, /[\r\n\u2028]/);
    assert.doesNotMatch(mail.text, /\u2028|^Bcc:/m, 'no value makes a line of its own');
  });
}

test('a brand name is escaped too, and an accent that is no colour is refused at the start', () => {
  const html = rendererFor({ name: ATTACK }).html('en', 'login/no-interaction', { loginUrl: '/account' });
  assert.doesNotMatch(html, /<img src=x|<script/);
  assert.throws(() => rendererFor({ name: 'X', accent: 'red}</style>' }), /is not a colour of the form #rrggbb/);
});

for (const address of [
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  ' javascript:alert(1)',
  'java\tscript:alert(1)',
  'data:text/html,x',
  'vbscript:x',
  '//evil.example',
  '/\\evil.example',
]) {
  test(`${JSON.stringify(address)} never becomes a link`, () => {
    const client = {
      name: 'Acme',
      logoUri: address,
      uri: address,
      policyUri: address,
      tosUri: address,
      redirectHost: '',
    };
    for (const [template, data] of [
      ['login/signed-out', { loginUrl: '/account' }],
      ['login/consent', sampleOf('consent')],
      ['login/back-to-app', { href: address }],
    ] as const) {
      const html = renderer.html('en', template, { ...data, client });
      assert.doesNotMatch(html, /(href|src)="[^"]*(script:|data:|evil\.example)/i, template);
    }
  });
}

test('a private-use scheme leads back to its app', () => {
  const href = 'com.example.acme:/callback?code=x&state=y';
  const html = renderer.html('en', 'login/back-to-app', { client: null, href });
  assert.match(html, /href="com\.example\.acme:\/callback\?code=x&amp;state=y"/);
});

test('signs that reorder or hide text are taken out of names', () => {
  const signIn = sampleOf('sign-in');
  const client = { ...(signIn['client'] as object), name: 'Acme\u202eecneS\u200b' };
  assert.match(renderer.html('en', 'login/sign-in', { ...signIn, client }), /Sign in to AcmeecneS/);
});

test('a mail greets by name only where the name can not pass for a message', () => {
  const text = (name: string) => renderer.mail('en', 'verify', { code: '123456', minutes: 10, name, link: null }).text;
  for (const name of ['Ada Lovelace', 'Jean-Luc d’Arc', "O'Neill", 'J. R. Tolkien', '山田 太郎']) {
    assert.ok(text(name).includes(`Hello ${name},`), name);
  }
  const refused = ['evil.example now', 'http://evil.example', 'You won 1000', 'a@b.c', 'x'.repeat(60), '', 'Ada\nYour'];
  for (const name of refused) assert.doesNotMatch(text(name), /Hello/, name);
});
