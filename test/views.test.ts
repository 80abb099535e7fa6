/** Each hosted page and mail is whole in each language, loads nothing foreign, and helps the one who fills it in. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import test from 'node:test';
import { LOCALES } from '../src/http/i18n.ts';
import { MAILS, PAGES, sampleOf } from './support/pages.ts';
import { catalogues, renderer, rendererFor, viewsDir } from './support/views.ts';

const families = [...new Set(Object.keys(catalogues.en).map((key) => key.split('.')[0]))].join('|');
const showsKey = new RegExp(`>\\s*(${families})\\.[a-z._-]+\\s*<`);

test('there is a sample of every page and every mail', () => {
  const pages = new Set(PAGES.map(({ template }) => template));
  const mails = new Set(MAILS.map(({ template }) => template));
  for (const file of readdirSync(viewsDir, { recursive: true, encoding: 'utf8' })) {
    const name = file.replace(/\.ejs$/, '');
    if (name === file || /^(parts|frames)\/|layout/.test(name)) continue;
    if (name.startsWith('mail/')) assert.ok(mails.has(name.split(/[/.]/)[1]!), name);
    else assert.ok(pages.has(name), name);
  }
});

for (const locale of LOCALES) {
  for (const { id, template, data } of PAGES) {
    test(`the page ${id} is whole in ${locale}`, () => {
      const html = renderer.html(locale, template, data, { nonce: 'n0' });
      assert.match(html, new RegExp(`^<!doctype html>\\s<html lang="${locale}">`));
      assert.match(html, /<title>[^<]{3,} · Latchkey<\/title>/);
      assert.equal(html.match(/<h1[ >]/g)?.length, 1, 'one main heading');
      assert.doesNotMatch(html, /undefined|\[object|NaN|Invalid Date/);
      assert.doesNotMatch(html, showsKey, 'a key in place of its message');
      assertSelfContained(html);
      assertForms(html);
    });
  }

  for (const { id, template, data } of MAILS) {
    test(`the mail ${id} is whole in ${locale}`, () => {
      const mail = renderer.mail(locale, template, data);
      assert.match(mail.subject, /^[^\r\n]{5,100}$/);
      for (const text of Object.values(mail)) assert.doesNotMatch(text, /undefined|\[object|mail\.[a-z]+\./);
      assert.doesNotMatch(mail.text, /<[a-z]|&#?\w+;|<%/);
      assert.doesNotMatch(mail.html, /<(img|script|link|iframe|form)\b|url\(|@import/i, 'a mail loads nothing');
      const needed = String(data['link'] ?? data['code'] ?? '');
      assert.ok(mail.text.includes(needed) && mail.html.includes(needed));
    });
  }
}

/** Pages load nothing from another host, and hold neither scripts nor inline styles (SECURITY P22, X01); what only helps
 * comes from a file of ours. */
function assertSelfContained(html: string): void {
  const bare = html.replaceAll(/<script (type="module" )?src="\/assets\/[\w.-]+"( defer| nonce="n0")><\/script>/g, '');
  assert.doesNotMatch(bare, /<script|\sstyle=|\son\w+=|javascript:/i);
  for (const [, address] of html.matchAll(/\s(?:src|srcset|action|formaction|poster|data)="([^"]*)"/g)) {
    assert.match(address!, /^\/(?!\/)/, 'only paths under the issuer');
  }
  for (const [tag] of html.matchAll(/<link\b[^>]*>/g)) assert.match(tag, /href="\/assets\//);
  for (const [tag] of html.matchAll(/<a\b[^>]*target="_blank"[^>]*>/g)) assert.match(tag, /rel="noopener noreferrer"/);
}

function assertForms(html: string): void {
  for (const [form] of html.matchAll(/<form\b[\s\S]*?<\/form>/g)) {
    assert.match(form, /^<form[^>]* method="post" action="\/[^"]+"/);
    assert.match(form, /<input type="hidden" name="(csrf|xsrf)" value="[^"]+"/);
    assert.match(form, /<button /);
  }
  const has = (id: string): boolean => html.includes(` id="${id}"`);
  for (const [, id] of html.matchAll(/<label for="([^"]+)"/g)) assert.ok(has(id!), `${id} is labelled`);
  for (const [, ids] of html.matchAll(/aria-(?:describedby|labelledby)="([^"]+)"/g)) {
    for (const id of ids!.split(' ')) assert.ok(has(id), `${id} is described`);
  }
}

const signIn = sampleOf('sign-in');

test('pages load no picture from an application’s host, but show one under the issuer', () => {
  const shown = (logoUri: string) =>
    renderer.html('en', 'login/sign-in', { ...signIn, client: { ...(signIn['client'] as object), logoUri } });
  assert.match(shown('https://cdn.acme.example/l.png'), /<span class="tile" aria-hidden="true">A<\/span>/);
  assert.match(shown('/assets/acme.png'), /<img class="tile" src="\/assets\/acme\.png"/);
  assert.match(shown('http://localhost:3000/logos/acme.png?v=2'), /<img class="tile" src="\/logos\/acme\.png\?v=2"/);
  assert.doesNotMatch(shown('http://localhost:3000.evil.example/x.png'), /<img class="tile"/);
});

test('a fault is told in the title, in a summary that leads to the field, and beside the field', () => {
  const html = renderer.html('en', 'login/sign-in', { ...signIn, errors: [{ field: 'email', code: 'email_invalid' }] });
  assert.match(html, /<title>Please check: Sign in to Acme Notes · Latchkey<\/title>/);
  assert.match(html, /role="alert" tabindex="-1"/);
  assert.match(html, /<a href="#field-email">Email address: Please type a full email address/);
  assert.match(html, /<input id="field-email"[^>]* aria-describedby="field-email-fault-0" aria-invalid="true">/);
});

test('a fault whose code has no words, or whose values are missing, is told in general words', () => {
  for (const code of ['brand_new', 'too_long']) {
    const html = renderer.html('en', 'login/sign-in', { ...signIn, errors: [{ field: 'email', code }] });
    assert.match(html, /This isn’t quite right/);
  }
});

test('an error page has words for its reader first, and the English detail for whoever helps after them', () => {
  const data = { status: 400, code: 'no_such_code', message: 'The parameter "x" is missing.', requestId: 'r1' };
  const html = renderer.html('fr', 'error', { ...data, code: 'invalid_client' });
  assert.match(
    html,
    /Nous ne connaissons pas cette application[\s\S]*lang="en">The parameter &quot;x&quot; is missing\./,
  );
  assert.match(renderer.html('en', 'error', data), /That didn’t work[\s\S]*r1/);
  assert.match(renderer.html('en', 'error', { ...data, status: 503 }), /Something broke on our side/);
  const developer = [{ label: 'x', value: 'expected a number' }];
  assert.match(renderer.html('en', 'error', { ...data, developer }), /<dt>x<\/dt><dd>expected a number<\/dd>/);
});

test('password managers and phones learn what each field is', () => {
  const attribute = (id: string, name: string) => {
    const { template, data } = PAGES.find((sample) => sample.id === id)!;
    return new RegExp(`name="${name}"[^>]* autocomplete="([^"]+)"`).exec(renderer.html('en', template, data))?.[1];
  };
  assert.equal(attribute('sign-in', 'email'), 'username webauthn');
  assert.equal(attribute('sign-in-plain', 'email'), 'username');
  assert.equal(attribute('sign-in', 'password'), 'current-password');
  assert.equal(attribute('register', 'password'), 'new-password');
  assert.equal(attribute('reset', 'username'), 'username');
  assert.equal(attribute('reset', 'code'), 'one-time-code');
  assert.equal(attribute('password', 'new_password'), 'new-password');
});

test('no field cuts what is typed or pasted', () => {
  for (const { template, data } of PAGES) assert.doesNotMatch(renderer.html('en', template, data), /maxlength/);
});

test('the accent travels only in a style that carries the nonce of the answer', () => {
  const branded = rendererFor({ name: 'X', accent: '#FF5500' });
  const html = branded.html('en', 'login/sign-in', signIn, { nonce: 'abc123' });
  assert.match(html, /<style nonce="abc123">:root\{--accent:#ff5500;--on-accent:#000000;/);
  assert.doesNotMatch(branded.html('en', 'login/sign-in', signIn), /<style/);
});

test('a route that forgets a value fails loudly', () => {
  const { csrf: _, ...rest } = signIn;
  assert.throws(() => renderer.html('en', 'login/sign-in', rest), /"login\/sign-in" was not given "csrf"/);
  assert.throws(() => renderer.html('en', 'login/nothing', {}), /no template "login\/nothing"/);
});

test('times are told in the account’s time zone, and in UTC when it names none', () => {
  const at = '2026-07-01T22:30:00.000Z';
  const mails = [{ id: 'm', to: 'a@b.example', subject: 's', at, text: '' }];
  const data = { mail: mails[0], htmlUrl: null };
  assert.match(renderer.html('en', 'dev/mail', { ...data, timeZone: 'Europe/Paris' }), /2 July 2026 at 00:30 CEST/);
  assert.match(renderer.html('fr', 'dev/mail', { ...data, timeZone: 'Mars/Olympus' }), /1 juillet 2026 à 22:30 UTC/);
});
