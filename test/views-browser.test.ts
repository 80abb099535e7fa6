/** Every page in the real browser: axe finds nothing, nothing is cut off, fingers hit what they aim at. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import type { BrowserContextOptions } from 'playwright-core';
import { axe } from './support/axe.ts';
import { createBrowser } from './support/browser.ts';
import { MAILS, PAGES } from './support/pages.ts';
import { startPreview } from './support/preview.ts';

const browser = createBrowser();
const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 860 };

let url = '';
let preview: Awaited<ReturnType<typeof startPreview>>;
before(async () => {
  preview = await startPreview();
  url = preview.url;
});
after(() => preview.close());

/** Links and buttons lower than 44 px that do not stand within a sentence (WCAG 2.5.5 and its exception). */
function tooSmall(): string[] {
  return [...document.querySelectorAll('a, button, select, summary, input:not([type=hidden], .hidden)')]
    .filter((target) => getComputedStyle(target).display !== 'inline' && !target.classList.contains('skip'))
    .filter((target) => target.getBoundingClientRect().height < 43.5)
    .map((target) => target.outerHTML.slice(0, 100));
}

/** Enough to meet each use of the accent. */
const ACCENTED = ['sign-in', 'verify', 'consent', 'sessions', 'account', 'apps', 'mailbox', 'docs'];
const looks: Array<[string, BrowserContextOptions, string]> = [
  ['on a phone, light', { viewport: PHONE, colorScheme: 'light' }, ''],
  ['on a desktop, dark, in French', { viewport: DESKTOP, colorScheme: 'dark' }, '?lang=fr'],
  ['on a desktop, light, with a bright accent', { viewport: DESKTOP, colorScheme: 'light' }, '?accent=ffd400'],
  ['on a phone, dark, with a deep accent', { viewport: PHONE, colorScheme: 'dark' }, '?accent=0a1a5c'],
];
for (const [look, options, query] of looks) {
  test(`pages pass axe ${look}`, async (t) => {
    const page = await browser.page(t, options);
    const complaints: string[] = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    for (const { id } of PAGES) {
      if (query.startsWith('?accent') && !ACCENTED.includes(id)) continue;
      await page.goto(`${url}/page/${id}${query}`);
      for (const violation of await axe(page)) complaints.push(`${id}: ${violation}`);
      const cut = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (cut > 0) complaints.push(`${id}: ${cut} px wider than the screen`);
      for (const target of await page.evaluate(tooSmall)) complaints.push(`${id}: too small ${target}`);
    }
    assert.deepEqual(complaints, []);
  });
}

test('every mail passes axe, light and dark', async (t) => {
  const complaints: string[] = [];
  const page = await browser.page(t, { viewport: PHONE });
  for (const { id } of MAILS) {
    await page.goto(`${url}/mail/${id}`);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      // Landmarks are a page's; a mail stands within the mail program's.
      const violations = await axe(page, { except: ['region', 'landmark-one-main'] });
      for (const violation of violations) complaints.push(`${id}, ${colorScheme}: ${violation}`);
    }
  }
  assert.deepEqual(complaints, []);
});

test('the keyboard reaches the form in order, and each stop is seen', async (t) => {
  const page = await browser.page(t, { viewport: DESKTOP });
  await page.goto(`${url}/page/sign-in-long`);
  const stops: string[] = [];
  for (let i = 0; i < 7; i += 1) {
    await page.keyboard.press('Tab');
    const [name, outline] = await page.evaluate(() => {
      const at = document.activeElement as HTMLElement;
      return [
        at.getAttribute('name') ?? at.getAttribute('href') ?? at.textContent?.trim() ?? '',
        getComputedStyle(at).outlineStyle,
      ];
    });
    assert.equal(outline, 'solid', `${name} shows that it has the focus`);
    stops.push(name as string);
  }
  assert.deepEqual(stops, ['#main', '#field-email', '#field-password', 'email', 'password', '/forgot/f1', 'Sign in']);
});

test('the summary of faults leads into the field', async (t) => {
  const page = await browser.page(t);
  await page.goto(`${url}/page/register-faulty`);
  await page.getByRole('alert').getByRole('link').nth(1).click();
  await page.keyboard.press('End');
  await page.keyboard.type('x');
  assert.equal(await page.getByLabel('Email address').inputValue(), 'ada@x');
});

test('a long password is taken whole from the clipboard or a password manager', async (t) => {
  const page = await browser.page(t);
  await page.goto(`${url}/page/register`);
  const long = 'correct horse battery staple '.repeat(40);
  await page.getByLabel('Password').fill(long);
  assert.equal(await page.getByLabel('Password').inputValue(), long);
});

test('who wants less motion gets none, and paper gets no buttons', async (t) => {
  const page = await browser.page(t, { reducedMotion: 'reduce' });
  await page.goto(`${url}/page/sessions`);
  const button = page.getByRole('button', { name: 'Sign out all others' });
  assert.match(await button.evaluate((at) => getComputedStyle(at).transitionDuration), /^0s/);
  await page.emulateMedia({ media: 'print' });
  assert.equal(await button.isVisible(), false);
  assert.equal(await page.getByRole('heading', { name: 'Firefox on Linux' }).isVisible(), true);
});
