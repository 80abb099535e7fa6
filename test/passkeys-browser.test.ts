/** Passkeys in the real browser with a virtual authenticator: added, used from autofill and button, on a second device,
 * removed; what is refused; without JavaScript; and from an Electron app. */
import assert from 'node:assert/strict';
import http from 'node:http';
import { type TestContext, test } from 'node:test';
import type { Page } from 'playwright-core';
import { createFlow } from '../examples/electron/src/flow.ts';
import { SYSTEM } from '../src/audit/events.ts';
import { startApp, type TestApp } from './support/app.ts';
import { axe } from './support/axe.ts';
import { createBrowser } from './support/browser.ts';
import { authorizationRequest, type Person, somebody } from './support/flow.ts';
import { virtualAuthenticator } from './support/virtual-authenticator.ts';

const browser = createBrowser();
const ACCOUNT = /\/account$/;
const PASSKEYS = '/account/security/passkey';
const addButton = (page: Page) => page.getByRole('button', { name: 'Add a passkey' });
const passkeyButton = (page: Page) => page.getByRole('button', { name: 'Sign in with a passkey' });
const record = async (app: TestApp, type: string) => (await app.services.audit.list({ type } as never, 50)).items;

async function typePassword(page: Page, person: Person): Promise<void> {
  await page.getByLabel('Email address').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** A browser profile that is signed in to the account pages, with an authenticator and nothing on it yet. */
async function device(
  t: TestContext,
  app: TestApp,
  person: Person,
  options: { signIn?: boolean; autofill?: boolean } = {},
) {
  const page = await browser.page(t);
  // Else it would answer by itself as soon as somebody is there, before the button is pressed.
  if (!options.autofill) await page.addInitScript(withoutAutofill);
  const key = await virtualAuthenticator(page);
  if (options.signIn === false) return { page, key };
  await page.goto(`${app.url}/account`);
  await typePassword(page, person);
  const offer = page.getByRole('heading', { name: 'Next time without a password?' });
  await Promise.race([offer.waitFor(), page.waitForURL(ACCOUNT)]);
  if (await offer.isVisible()) await page.getByRole('button', { name: 'Not now' }).click();
  await page.waitForURL(ACCOUNT);
  return { page, key };
}

async function add(app: TestApp, page: Page): Promise<void> {
  await page.goto(app.url + PASSKEYS);
  await page.getByRole('link', { name: 'Add a passkey' }).click();
  await addButton(page).click();
  // The first factor leads to the recovery codes.
  await page.getByText(/only this once|Your second step is set up/).waitFor();
  await page.goto(app.url + PASSKEYS);
}

async function signOut(app: TestApp, page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(/signed-out/);
  await page.goto(`${app.url}/account`);
}

/** A browser that suggests no passkeys in fields. */
function withoutAutofill(): void {
  PublicKeyCredential.isConditionalMediationAvailable = async () => false;
}

/** The application that people are sent back to: its redirect URI. */
async function application(t: TestContext): Promise<string> {
  const server = http.createServer((_req, res) => res.end('the application'));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/callback`;
}

test('added on the account page, then signed in from the autofill of the e-mail field', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const { page, key } = await device(t, app, person, { autofill: true });
  await page.goto(app.url + PASSKEYS);
  await page.getByText('You have none yet').waitFor();
  await add(app, page);
  assert.deepEqual(await axe(page), []);
  const [credential] = await key.credentials();
  assert.equal(credential?.isResidentCredential, true);
  await page.getByText('Not used yet').waitFor();

  await key.present(false);
  await signOut(app, page);
  await passkeyButton(page).waitFor();
  assert.deepEqual(await axe(page), []);
  await key.present(true); // and now the person picks it from the suggestions
  await page.reload();
  await page.waitForURL(ACCOUNT);
  assert.equal((await record(app, 'sign_in.succeeded'))[0]?.details['method'], 'passkey');
  await page.goto(app.url + PASSKEYS);
  await page.getByText('Last used').waitFor();
});

test('the same device has one passkey only; a second device adds its own; one of them is removed', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const first = await device(t, app, person);
  await add(app, first.page);
  // The session was made without the factor that is there now.
  await first.page.goto(`${app.url}${PASSKEYS}/new`);
  await passkeyButton(first.page).click();
  await addButton(first.page).click();
  await first.page.getByText('This device has a passkey for your account already.').waitFor();
  assert.equal((await first.key.credentials()).length, 1);

  const second = await browser.page(t);
  const key = await virtualAuthenticator(second, { transport: 'usb', synced: true });
  await app.services.passkeys.neverOffer(person.id);
  await second.goto(`${app.url}/account`);
  await typePassword(second, person);
  await second.getByRole('heading', { name: 'Confirm with your passkey' }).waitFor();
  assert.equal((await key.credentials()).length, 0, 'a device that has none can not help');

  await first.page.goto(app.url + PASSKEYS);
  await first.page.getByText('Rename').click();
  await first.page.getByLabel('Name').fill('My laptop');
  await first.page.getByRole('button', { name: 'Save name' }).click();
  await first.page.getByRole('heading', { name: 'My laptop' }).waitFor();
  const usb = await virtualAuthenticator(first.page, { transport: 'usb', synced: true });
  await first.key.present(false);
  await add(app, first.page);
  assert.equal((await usb.credentials()).length, 1);
  await first.page.getByText('Synced').waitFor();
  const row = first.page.getByRole('listitem').filter({ hasText: 'My laptop' });
  await row.getByRole('button', { name: /^Remove/ }).click();
  await first.page.getByText('It’s removed, and you’re signed out everywhere else.').waitFor();
  assert.equal((await app.services.passkeys.of(person.id)).length, 1);
});

test('a wrong finger, a copied key and a removed passkey sign nobody in', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const { page, key } = await device(t, app, person);
  await add(app, page);
  await signOut(app, page);
  await key.verified(false);
  await passkeyButton(page).click();
  await page.getByText('You stopped it, or it took too long.').waitFor();
  await key.verified(true);
  await passkeyButton(page).click();
  await page.waitForURL(ACCOUNT);

  await signOut(app, page);
  await key.rewind();
  await passkeyButton(page).click();
  await page.getByText('That passkey wasn’t accepted.').first().waitFor();
  assert.equal((await record(app, 'passkey.anomaly'))[0]?.details['reason'], 'counter');
  const [passkey] = await app.services.passkeys.of(person.id);
  await app.services.factors.remove(person.id, passkey?.id as string, { by: SYSTEM });
  await page.goto(`${app.url}/account`);
  await passkeyButton(page).click();
  await page.getByText('That passkey wasn’t accepted.').first().waitFor();
});

test('offered after the password, taken, and asked for as the second step from then on', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const redirect_uri = await application(t);
  const client = await app.client({ redirect_uris: [redirect_uri] });
  const { page, key } = await device(t, app, person, { signIn: false });
  await page.goto(authorizationRequest(app, client.client_id, { redirect_uri }).url);
  await passkeyButton(page).waitFor();
  await typePassword(page, person);
  await addButton(page).waitFor();
  assert.deepEqual(await axe(page), []);
  await addButton(page).click();
  await page.getByRole('button', { name: 'Show my codes' }).click();
  await page.getByRole('button', { name: 'I’ve saved them' }).click();
  await page.waitForURL(/\/callback\?code=/);
  assert.equal((await key.credentials()).length, 1);

  await page.context().clearCookies();
  await page.goto(authorizationRequest(app, client.client_id, { redirect_uri, acr_values: 'urn:latchkey:mfa' }).url);
  await typePassword(page, person);
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.waitForURL(/\/callback\?code=/);
  assert.deepEqual((await record(app, 'sign_in.succeeded'))[0]?.details['amr'], ['pwd', 'pop', 'hwk', 'user', 'mfa']);
});

test('without JavaScript there are no passkeys, and the rest works', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const page = await browser.page(t, { javaScriptEnabled: false });
  await page.goto(`${app.url}/account`);
  assert.equal(await passkeyButton(page).isVisible(), false);
  await typePassword(page, person);
  await page.waitForURL(ACCOUNT);
  await page.goto(`${app.url}${PASSKEYS}/new`);
  assert.equal(await addButton(page).isVisible(), false);
  await page.getByText('Passkeys need JavaScript').waitFor();
});

test('an Electron app signs in through the system’s browser with a passkey', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const { page } = await device(t, app, person);
  await add(app, page);
  await signOut(app, page);
  const { client_id: clientId } = await app.client({
    ...{ application_type: 'native', token_endpoint_auth_method: 'none', redirect_uris: ['http://127.0.0.1/callback'] },
    ...{ grant_types: ['authorization_code', 'refresh_token'], scope: 'openid profile email account:read' },
  });
  let kept: string | null = null;
  const flow = createFlow({
    ...{ issuer: app.url, clientId },
    store: {
      load: async () => kept,
      save: async (value) => {
        kept = value;
      },
      clear: async () => {},
    },
    async openBrowser(url) {
      page.goto(url).catch((error) => t.diagnostic(String(error)));
    },
  });
  const done = flow.signIn();
  await passkeyButton(page).click();
  await done;
  const response = await flow.callApi(`${app.url}/api/v1/account`);
  assert.equal(((await response.json()) as { email: string }).email, person.email);
  assert.equal((await record(app, 'sign_in.succeeded'))[0]?.details['method'], 'passkey');
  assert.equal((await record(app, 'sign_in.succeeded'))[0]?.client_id, clientId);
});
