/** The Electron example's flow with Chromium as the system's browser; its shell is checked against Electron's types. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { createFlow, type Flow, type FlowOptions, SignInRequired } from '../../examples/electron/src/flow.ts';
import { createBrowser } from '../support/browser.ts';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { sharedIssuer } from '../support/one-app.ts';
import { EXAMPLES_FOLDER, install } from './next-app.ts';
import { endOtherSessions, newPerson, type Person, register } from './person.ts';

const SCHEME_URI = 'com.example.latchkey-demo:/callback';
const browser = createBrowser();
const oneIssuer = sharedIssuer();

test('a person signs in through the browser, and the app stays signed in over a restart', async (t) => {
  const { issuer, page, flow, store, person } = await signedIn(t);
  assert.equal((await account(flow, issuer)).email, person.email);

  const restarted = await newFlow(t, issuer, page, { clientId: flow.clientId, store });
  const saved = store.saves;
  const tokens = await Promise.all(Array.from({ length: 8 }, () => restarted.accessToken()));
  assert.equal(new Set(tokens).size, 1);
  assert.equal(store.saves, saved + 1, 'one refresh for all who ask at once');
  assert.equal((await account(restarted, issuer)).email, person.email);
});

test('signed out from another computer, the app asks to sign in again', async (t) => {
  const { issuer, flow, store, person } = await signedIn(t);
  await endOtherSessions(await browser.page(t), issuer.url, person);
  await assert.rejects(account(flow, issuer), SignInRequired);
  assert.equal(await store.load(), null, 'the dead token is forgotten');
});

test('signing out ends the tokens at the issuer', async (t) => {
  const { issuer, flow, store } = await signedIn(t);
  const token = await flow.accessToken();
  await flow.signOut();
  assert.equal(await store.load(), null);
  await assert.rejects(flow.accessToken(), SignInRequired);
  const response = await fetch(`${issuer.url}/api/v1/account`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(response.status, 401);
});

test('an issuer that can not be reached signs nobody out', async (t) => {
  const { issuer, page, flow, store } = await signedIn(t, await startIssuer(t));
  await issuer.stop();
  const restarted = await newFlow(t, issuer, page, { clientId: flow.clientId, store });
  await assert.rejects(restarted.accessToken(), (error) => !(error instanceof SignInRequired));
  assert.notEqual(await store.load(), null);
});

test('a signed-in person is asked before the app gets tokens, and may refuse', async (t) => {
  const { issuer, page, flow, person } = await signedIn(t);
  const refused = assert.rejects(flow.signIn(), { error: 'access_denied' });
  await page.locator('button[name=decision][value=deny]').click();
  await refused;
  assert.equal((await account(flow, issuer)).email, person.email, 'what was there stays');
});

test('another program that knocks on the loopback port does not disturb the sign-in', async (t) => {
  const { issuer, page, flow } = await signedIn(t);
  const again = flow.signIn();
  const allow = page.locator('button[name=decision][value=allow]');
  await allow.waitFor();
  const callback = new URL(flow.opened.at(-1)!.searchParams.get('redirect_uri')!);
  const forged = `${callback.href}?code=stolen&state=guessed&iss=${encodeURIComponent(issuer.url)}`;
  assert.equal((await fetch(forged)).status, 404);
  await allow.click();
  await again;
});

test('without a free port the custom scheme brings the person back', async (t) => {
  const { issuer, page, flow, store } = await signedIn(t);
  const listen = () => Promise.reject(new Error('EACCES'));
  const scheme = await newFlow(t, issuer, page, { clientId: flow.clientId, store, listen });
  const again = scheme.signIn();
  await page.locator('button[name=decision][value=allow]').click();
  const back = page.locator(`a[href^="${SCHEME_URI}"]`); // the system would open the app; the tab offers a link
  scheme.handleUrl(`${SCHEME_URI}?code=stolen&state=guessed`);
  scheme.handleUrl((await back.getAttribute('href'))!);
  await again;
  assert.equal(typeof (await scheme.accessToken()), 'string');
});

test('the whole example passes the type check against the electron package', async () => {
  await install('electron');
  const compiler = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [compiler, '--noEmit', '-p', join(EXAMPLES_FOLDER, 'electron')]);
});

type Store = FlowOptions['store'] & { saves: number };
interface DrivenFlow extends Flow {
  clientId: string;
  /** The addresses that the browser was sent to. */
  opened: URL[];
}

const registered = new WeakMap<Issuer, ReturnType<Issuer['createClient']>>();

/** Everybody at an issuer has the same app. */
function appAt(issuer: Issuer): ReturnType<Issuer['createClient']> {
  const client =
    registered.get(issuer) ??
    issuer.createClient({
      client_name: 'Latchkey demo',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/callback', SCHEME_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      first_party: true,
    });
  registered.set(issuer, client);
  return client;
}

async function signedIn(t: TestContext, ofItsOwn?: Issuer) {
  const issuer = ofItsOwn ?? (await oneIssuer());
  const { client_id: clientId } = await appAt(issuer);
  const page = await browser.page(t);
  const store = memoryStore();
  const person = newPerson();
  const flow = await newFlow(t, issuer, page, { clientId, store });
  const done = flow.signIn();
  await registerFromSignIn(page, issuer, person);
  await done;
  return { issuer, page, flow, store, person };
}

async function newFlow(
  t: TestContext,
  issuer: Issuer,
  page: Page,
  options: Pick<FlowOptions, 'clientId' | 'store' | 'listen'>,
): Promise<DrivenFlow> {
  const opened: URL[] = [];
  const flow = createFlow({
    ...options,
    issuer: issuer.url,
    customSchemeUri: SCHEME_URI,
    async openBrowser(url) {
      opened.push(new URL(url));
      page.goto(url).catch((error) => t.diagnostic(String(error))); // like the system's: returns at once
    },
  });
  return { ...flow, clientId: options.clientId, opened };
}

async function registerFromSignIn(page: Page, issuer: Issuer, person: Person): Promise<void> {
  await page.locator('a[href*="register"]').click();
  await register(page, issuer, person);
}

function memoryStore(): Store {
  let secret: string | null = null;
  return {
    saves: 0,
    load: async () => secret,
    async save(value) {
      this.saves += 1;
      secret = value;
    },
    async clear() {
      secret = null;
    },
  };
}

async function account(flow: Flow, issuer: Issuer): Promise<{ email: string }> {
  const response = await flow.callApi(`${issuer.url}/api/v1/account`);
  assert.equal(response.status, 200);
  return (await response.json()) as { email: string };
}
