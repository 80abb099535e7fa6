/** Advice on a new password while it is typed: in the real browser under the real policy, and without scripts. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Page } from 'playwright-core';
import { startApp, type TestApp } from './support/app.ts';
import { axe } from './support/axe.ts';
import { createBrowser } from './support/browser.ts';
import { somebody } from './support/flow.ts';

const browser = createBrowser();
let app: TestApp;
let invitation = '';
before(async (t) => {
  app = await startApp(t as never);
  const { link } = await app.services.invitations.invite({
    email: 'lovelace@example.com',
    name: 'Augusta',
    locale: 'en',
    inviter: null,
  });
  invitation = link;
});

const said = (page: Page) => page.locator('.strength-words');
const says = async (page: Page, password: string, words: RegExp) => {
  await page.locator('input[autocomplete=new-password]').fill(password);
  await said(page).filter({ hasText: words }).waitFor({ state: 'attached' });
};

test('an estimate in words that a screen reader speaks, with what is weak; nothing is sent anywhere', async (t) => {
  const page = await browser.page(t);
  const [complaints, asked]: [string[], string[]] = [[], []];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(invitation);
  assert.ok(
    asked.every((url) => !/zxcvbn|worker/.test(url)),
    'nothing is loaded before somebody types',
  );
  await says(page, 'password', /^Very easy to guess\. .*most used/);
  const loaded = asked.length;
  await says(page, 'kestrel over the marsh at nine', /^Very good\.$/);
  await says(page, 'augusta', /easy to guess.*(name|Name)/);
  await says(page, 'lovelace', /Your name, your address|name alone/);
  await says(page, '', /^$/);
  assert.equal(await said(page).getAttribute('aria-live'), 'polite');
  assert.equal(asked.length, loaded, 'estimating sends nothing');
  assert.ok(
    asked.every((url) => url.startsWith(app.url)),
    'all of it is ours',
  );
  assert.deepEqual(complaints, []);
  await says(page, 'password', /easy/);
  assert.deepEqual(await axe(page), []);
});

test('in French with French words, on the account page, where name and address are known', async (t) => {
  const person = await somebody(app, { name: 'Zénobie Duchâtel', email: 'zenobie@example.com' });
  const page = await browser.page(t, { locale: 'fr-FR' });
  await page.goto(`${app.url}/account/security/password`);
  await page.getByLabel(/adresse/i).fill(person.email);
  await page.getByLabel(/mot de passe/i).fill(person.password);
  await page.getByRole('button', { name: 'Se connecter', exact: true }).click();
  await page.waitForURL('**/account/security/password');
  await says(page, 'zénobie duchâtel', /deviner\. Votre nom/);
  await says(page, 'anticonstitutionnellement', /deviner|mieux faire/);
});

test('without scripts the form is whole and says its rule', async (t) => {
  const page = await browser.page(t, { javaScriptEnabled: false });
  await page.goto(invitation);
  await page.locator('input[autocomplete=new-password]').fill('short');
  assert.equal(await said(page).innerText(), '');
  await page.getByRole('button').click();
  assert.match(await page.locator('.field-faulty .fault').innerText(), /12 characters or more/);
});
