/** The single-page example with oidc-client-ts, bundled as its developer does it, in a real browser. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { createBrowser } from '../support/browser.ts';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { sharedIssuer } from '../support/one-app.ts';
import { EXAMPLES_FOLDER } from './next-app.ts';
import { endOtherSessions, newPerson, register, signedOutAt } from './person.ts';

const FOLDER = join(EXAMPLES_FOLDER, 'spa-oidc-client-ts');
const browser = createBrowser();
const oneIssuer = sharedIssuer();

test('a page signs a person in, renews by refresh token, and revokes its tokens', async (t) => {
  const { page, issuer, person } = await signedIn(t);
  // The page asks for the account after it is signed in.
  const account = page.locator('#account').filter({ hasText: '"email"' });
  assert.equal(JSON.parse((await account.textContent()) ?? '').email, person.email);

  const first = await storedUser(page);
  await page.getByRole('button', { name: 'Renew' }).click();
  await page.waitForFunction((token) => !JSON.stringify(sessionStorage).includes(token), first.refresh_token);
  const second = await storedUser(page);
  assert.notEqual(second.access_token, first.access_token);
  assert.notEqual(second.refresh_token, first.refresh_token, 'a public client gets a new one each time');

  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('The tokens are revoked.').waitFor();
  const headers = { authorization: `Bearer ${second.access_token}` };
  assert.equal((await fetch(`${issuer.url}/api/v1/account`, { headers })).status, 401);
});

test('tokens are renewed before they end while the page is open', async (t) => {
  // oidc-client-ts renews a minute before the end: 62 seconds make that two seconds after the sign-in.
  const { page } = await signedIn(t, await startIssuer(t, { env: { LATCHKEY_ACCESS_TOKEN_TTL: '62s' } }));
  const first = await storedUser(page);
  await page.waitForFunction((token) => !JSON.stringify(sessionStorage).includes(token), first.access_token);
  await page.getByText('Signed in as').waitFor();
});

test('signed out from another computer, the page offers to sign in', async (t) => {
  const { page, issuer, person } = await signedIn(t);
  await endOtherSessions(await browser.page(t), issuer.url, person);
  await page.getByRole('button', { name: 'Renew' }).click();
  await page.getByText('You were signed out.').waitFor();
});

test('signing out ends the session at the issuer, too', async (t) => {
  const { page } = await signedIn(t);
  const home = page.url();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await signedOutAt(page, home);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('input[name=password]').waitFor();
});

test('the example passes the type check', async () => {
  const compiler = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [compiler, '--noEmit', '-p', FOLDER]);
});

const servers = new Set<Server>();
after(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});
const sites = new WeakMap<Issuer, Promise<string>>();

/** Everybody at an issuer has the same page. */
function siteAt(issuer: Issuer): Promise<string> {
  const site = sites.get(issuer) ?? startSite(issuer);
  sites.set(issuer, site);
  return site;
}

async function startSite(issuer: Issuer): Promise<string> {
  const site = await serve();
  const client = await issuer.createClient({
    client_name: 'A page with Latchkey',
    token_endpoint_auth_method: 'none',
    redirect_uris: [`${site.url}/`],
    post_logout_redirect_uris: [`${site.url}/`],
    grant_types: ['authorization_code', 'refresh_token'],
    first_party: true,
  });
  site.script = await bundle(issuer, client.client_id);
  return site.url;
}

async function signedIn(t: TestContext, ofItsOwn?: Issuer) {
  const issuer = ofItsOwn ?? (await oneIssuer());
  const person = newPerson();
  const page = await browser.page(t);
  await page.goto(await siteAt(issuer));
  await page.getByRole('button', { name: 'Register' }).click();
  await register(page, issuer, person);
  await page.getByText(`Signed in as ${person.name}`).waitFor();
  return { page, issuer, person };
}

async function bundle(issuer: Issuer, clientId: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(FOLDER, 'main.ts')],
    bundle: true,
    format: 'esm',
    write: false,
    define: { LATCHKEY_ISSUER: JSON.stringify(issuer.url), LATCHKEY_CLIENT_ID: JSON.stringify(clientId) },
  });
  return outputFiles[0]!.text;
}

/** Until the end of the file. */
async function serve(): Promise<{ url: string; script: string }> {
  const html = await readFile(join(FOLDER, 'index.html'));
  const site = { url: '', script: '' };
  const server = createServer((request, response) => {
    const script = request.url === '/main.js';
    response.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html' });
    response.end(script ? site.script : html);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.add(server);
  site.url = `http://localhost:${(server.address() as AddressInfo).port}`;
  return site;
}

async function storedUser(page: Page): Promise<{ access_token: string; refresh_token: string }> {
  return page.evaluate(() => {
    const key = Object.keys(sessionStorage).find((name) => name.startsWith('oidc.user:'));
    return JSON.parse(sessionStorage.getItem(key!)!);
  });
}
