/** The two Next.js examples, built and driven in a real browser: both builds at once, then both journeys, then one proof at a time. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { proofs } from '../proofs/nextjs.proof.ts';
import { testFew } from '../proofs/proof.ts';
import { createBrowser } from '../support/browser.ts';
import { startIssuer } from '../support/issuer.ts';
import { freePort } from '../support/ports.ts';
import { build, EXAMPLES, EXAMPLES_FOLDER, start } from './next-app.ts';
import { endOtherSessions, newPerson, register, signedOutAt, signIn } from './person.ts';

/** Long enough for a page view before the end, short enough to wait for it. The apps refresh 5 s early. */
const ACCESS_TOKEN_SECONDS = 9;

/** For both, with what their lock files name, on a machine that does other things, too: alone it takes one and a half minutes. */
const BUILD_MS = 600_000;

const browser = createBrowser();

describe('the Next.js examples', { concurrency: 2 }, () => {
  before(() => Promise.all(EXAMPLES.map(({ folder }) => build(folder))), { timeout: BUILD_MS });

  for (const { folder, prefix, cookie, jwt, salt } of EXAMPLES) {
    test(`${folder}: register, stay signed in past the access token, be signed out from elsewhere, sign out`, async (t) => {
      const issuer = await startIssuer(t, { env: { LATCHKEY_ACCESS_TOKEN_TTL: `${ACCESS_TOKEN_SECONDS}s` } });
      const port = await freePort();
      const app = `http://localhost:${port}`;
      const secret = randomBytes(32).toString('base64');
      const client = await issuer.createClient({
        client_name: 'Next.js with Latchkey',
        redirect_uris: [`${app}/api/auth/callback/latchkey`],
        post_logout_redirect_uris: [`${app}/`],
        grant_types: ['authorization_code', 'refresh_token'],
        first_party: true,
      });
      await start(t, folder, port, {
        LATCHKEY_ISSUER: issuer.url,
        LATCHKEY_CLIENT_ID: client.client_id,
        LATCHKEY_CLIENT_SECRET: client.client_secret,
        [`${prefix}_URL`]: app,
        [`${prefix}_SECRET`]: secret,
      });
      const person = newPerson();
      const { decode } = await import(join(EXAMPLES_FOLDER, folder, 'node_modules', jwt));
      const page = await browser.page(t);
      const sessionCookie = async () => (await page.context().cookies(app)).find(({ name }) => name.startsWith(cookie));
      const stored = async () => decode({ token: (await sessionCookie())?.value, secret, salt });

      await page.goto(`${app}/protected`);
      await page.getByRole('button', { name: 'Register' }).click();
      await register(page, issuer, person);
      await page.waitForURL(`${app}/protected`);
      await assertProtected(page, person);

      await page.goto(`${app}/admin`);
      await page.getByRole('button', { name: 'Go on with a second step' }).click();
      // Without the password again: only what is missing is asked, and who has no second step is led to one.
      await page.waitForURL(`${issuer.url}/login/*/protect`);
      await page.goto(`${app}/protected`);

      const session = await (await page.request.get(`${app}/api/auth/session`)).text();
      assert.doesNotMatch(session, /token/i, 'scripts in the browser get no token');

      await page.waitForLoadState('networkidle');
      const refreshes = () => issuer.output().split('"/oauth2/token"').length;
      const first = await stored();
      const asked = refreshes();
      assert.equal(first.email, person.email);
      await sleep(ACCESS_TOKEN_SECONDS * 1000); // two processes' clocks: the short life is real
      await page.reload();
      await assertProtected(page, person);
      await page.waitForLoadState('networkidle');
      const second = await stored();
      assert.notEqual(second.accessToken, first.accessToken, 'the new tokens are in the cookie');
      assert.ok(second.expiresAt > first.expiresAt);
      assert.equal(refreshes(), asked + 1, 'one refresh for one page view');

      await endOtherSessions(await browser.page(t), issuer.url, person);
      await page.reload();
      await page.getByRole('button', { name: 'Sign in' }).click();
      await signIn(page, person);
      await page.waitForURL(`${app}/protected`);

      await page.getByRole('button', { name: 'Sign out' }).click();
      await signedOutAt(page, `${app}/`);
      assert.equal(await sessionCookie(), undefined);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.locator('input[name=password]').waitFor(); // the issuer asks again: its session is over, too
    });
  }
});

testFew(...proofs);

async function assertProtected(page: Page, person: { name: string; email: string }): Promise<void> {
  const text = async (id: string) => (await page.locator(id).textContent()) ?? '';
  assert.equal(await text('#name'), person.name);
  assert.equal(await text('#email'), person.email);
  await page.locator('#expires', { hasText: 'T' }).waitFor();
  assert.ok(Date.parse(await text('#expires')) > Date.now());
  assert.equal(JSON.parse(await text('#account')).email, person.email);
}
