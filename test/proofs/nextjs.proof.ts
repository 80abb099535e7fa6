/**
 * People at the two Next.js examples stay signed in on an access token that is over at every visit: refreshed in a
 * server component, which can't store what it got, in the proxy, which does, and in two tabs at two instances of the
 * app, which share no memory.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { build, EXAMPLES, EXAMPLES_FOLDER, type Example, start } from '../journeys/next-app.ts';
import { newPerson, type Person, register } from '../journeys/person.ts';
import { createBrowser } from '../support/browser.ts';
import { freePort } from '../support/ports.ts';
import { startWatchedIssuer } from '../support/watched-issuer.ts';
import { type Proof, pause } from './proof.ts';

const ACCESS_TOKEN_SECONDS = 5;
/**
 * A refresh token of this life rotates in the last 30 % of it. The issuer's clock is moved there, so that it is late at
 * every visit and, however slow the machine is, not over before the visit's end.
 */
const REFRESH_TOKEN_SECONDS = 3600;
const LATE_SECONDS = 0.7 * REFRESH_TOKEN_SECONDS;
/** The examples remember a refresh for a second; after it both tabs ask the issuer at once. */
const FORGOTTEN_MS = 1100;
const VIEWS_A_ROUND = 5;
/** After it the access token is over. */
const REST_MS = (ACCESS_TOKEN_SECONDS + 0.5) * 1000;

const browser = createBrowser();

interface Figures {
  views: number;
  /** Everything that the issuer printed. */
  log: string;
  /** Distinct refresh tokens that the app's cookie held. */
  refreshTokens: number;
}

const pageViews = (example: Example): Proof<{ 'page views': number }> => ({
  fault: `${example.folder} with a ${ACCESS_TOKEN_SECONDS}-second access token, refreshed by pages and proxy, two tabs at two instances`,
  promise: 'the person stays signed in, whether the refresh token is kept or rotates',
  few: { 'page views': VIEWS_A_ROUND },
  full: { 'page views': 50 },

  async run(t, size) {
    await build(example.folder);
    const [kept, rotated] = await Promise.all([
      viewPages(t, example, size['page views'], { moveSeconds: 0 }),
      viewPages(t, example, size['page views'], {
        moveSeconds: LATE_SECONDS,
        client: { refresh_token_idle_ttl: REFRESH_TOKEN_SECONDS },
      }),
    ]);
    const rounds = rotated.views / VIEWS_A_ROUND;
    assert.equal(kept.refreshTokens, 1, 'a confidential client keeps its refresh token');
    assert.ok(rotated.refreshTokens > rounds, 'it rotated in every round');
    const said = (words: string) => `${kept.log}${rotated.log}`.split(words).length - 1;
    const repeats = said('"kind":"race"');
    assert.ok(repeats >= 2 * rounds, 'in every round a server component and a tab showed a spent token');
    assert.equal(said('"kind":"theft"'), 0);
    return `${kept.views} views with one refresh token and ${rotated.views} with ${rotated.refreshTokens}, 0 signed out; ${said('"/oauth2/token"')} requests for tokens, ${repeats} of a spent one`;
  },
});

export const proofs = EXAMPLES.map(pageViews);

async function viewPages(
  t: TestContext,
  { folder, prefix, cookie, jwt, salt }: Example,
  least: number,
  { moveSeconds, client: metadata = {} }: { moveSeconds: number; client?: Record<string, unknown> },
): Promise<Figures> {
  const issuer = await startWatchedIssuer(t, { env: { LATCHKEY_ACCESS_TOKEN_TTL: `${ACCESS_TOKEN_SECONDS}s` } });
  const ports = [await freePort(), await freePort()];
  const [app, other] = ports.map((port) => `http://localhost:${port}`) as [string, string];
  const secret = randomBytes(32).toString('base64');
  const client = await issuer.createClient({
    client_name: 'Next.js with Latchkey',
    redirect_uris: [`${app}/api/auth/callback/latchkey`],
    grant_types: ['authorization_code', 'refresh_token'],
    first_party: true,
    ...metadata,
  });
  const env = {
    LATCHKEY_ISSUER: issuer.url,
    LATCHKEY_CLIENT_ID: client.client_id,
    LATCHKEY_CLIENT_SECRET: client.client_secret,
    [`${prefix}_URL`]: app,
    [`${prefix}_SECRET`]: secret,
  };
  for (const port of ports) await start(t, folder, port, env);
  const { decode } = await import(join(EXAMPLES_FOLDER, folder, 'node_modules', jwt));
  const page = await browser.page(t);
  const tab = await page.context().newPage();
  const person = newPerson();
  const refreshTokens = new Set<string>();
  const sessionCookie = async () =>
    (await page.context().cookies(app)).find(({ name }) => name.startsWith(cookie))?.value;
  const note = async () =>
    refreshTokens.add((await decode({ token: await sessionCookie(), secret, salt })).refreshToken);

  await page.goto(`${app}/protected`);
  await page.getByRole('button', { name: 'Register' }).click();
  await register(page, issuer, person);
  await page.waitForURL(`${app}/protected`);
  await page.waitForLoadState('networkidle');
  await note();

  let views = 0;
  for (let moved = moveSeconds; views < least; moved += moveSeconds) {
    await pause(REST_MS);
    await issuer.moveClock(moved * 1000);
    const before = await sessionCookie();
    await Promise.all([app, other].map((instance) => assertServerComponent(page, `${instance}/`, person)));
    assert.equal(await sessionCookie(), before, 'a server component stores nothing: the next view shows the old token');
    await pause(FORGOTTEN_MS);
    await Promise.all([
      assertProxied(page, `${app}/protected`, person),
      assertProxied(tab, `${other}/protected`, person),
    ]);
    assert.notEqual(await sessionCookie(), before, 'the proxy stores it');
    await note();
    await assertProxied(page, `${app}/protected`, person);
    await page.waitForLoadState('networkidle');
    await note();
    views += VIEWS_A_ROUND;
  }
  return { views, refreshTokens: refreshTokens.size, log: issuer.output() };
}

/** The start page without its scripts: nothing but the server component speaks to the issuer. */
async function assertServerComponent(page: Page, url: string, { name }: Person): Promise<void> {
  const html = await (await page.request.get(url)).text();
  assert.match(html, /Signed in as/, url);
  assert.ok(html.includes(name));
}

/** The proxy's page, which reads the account with the access token. */
async function assertProxied(page: Page, url: string, { email }: Person): Promise<void> {
  await page.goto(url);
  assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'Protected', url);
  assert.equal(JSON.parse((await page.locator('#account').textContent()) ?? '').email, email);
}
