/** The policy, the form tokens and the frames in a real Chromium, which is the one that has to understand them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { Context } from 'koa';
import { z } from 'zod';
import { readForm } from '../src/http/body.ts';
import { createCsrf } from '../src/http/csrf.ts';
import { securityHeaders } from '../src/http/headers.ts';
import { createLog } from '../src/http/log.ts';
import { problems } from '../src/http/problem.ts';
import { createBrowser } from './support/browser.ts';
import { serveKoa } from './support/serve.ts';

const browser = createBrowser();
const Sent = z.strictObject({ csrf: z.string(), decision: z.string() });

/** A page with a form, as the hosted pages have them, on one origin; `elsewhere` is another origin with the same page. */
async function site(t: TestContext, html: (csrf: string) => string) {
  const posts: Record<string, unknown>[] = [];
  const log = createLog({ level: 'silent', pretty: false });
  const key = randomBytes(32);
  const serveOne = async (formsOf?: URL) => {
    let issuer: URL | undefined = formsOf;
    const served = await serveKoa(t, [
      securityHeaders({ https: false, hstsSubdomains: false }),
      problems({ log }),
      answer,
    ]);
    issuer ??= new URL(served.origin);
    const csrf = createCsrf({ key, issuer });
    return served.origin;

    async function answer(ctx: Context): Promise<void> {
      if (ctx.method === 'POST') {
        posts.push({ origin: ctx.get('origin'), site: ctx.get('sec-fetch-site'), referrer: ctx.get('referer') });
        const { csrf: token, decision } = await readForm(ctx, Sent);
        csrf.check(ctx, 'session', token);
        ctx.body = `decided: ${decision}`;
        return;
      }
      ctx.state['allowFrames'] = ctx.path === '/frames';
      ctx.state['mailDocument'] = ctx.path === '/mail';
      ctx.type = 'html';
      ctx.body = html(csrf.token('session'))
        .replaceAll('NONCE', ctx.state['nonce'])
        .replaceAll('ISSUER', issuer?.origin ?? '');
    }
  };
  const origin = await serveOne();
  return { origin, posts, elsewhere: () => serveOne(new URL(origin)) };
}

const FORM = (action: string) => (csrf: string) =>
  `<!doctype html><title>x</title><form method=post action="${action}"><input type=hidden name=csrf value="${csrf}">
  <button name=decision value=allow>Allow</button></form>`;

test('a form of ours is accepted although the browser, asked for no referrer, writes Origin: null', async (t) => {
  const { origin, posts } = await site(t, FORM('/decide'));
  const page = await browser.page(t);
  await page.goto(origin);
  await page.getByRole('button').click();
  assert.equal(await page.locator('body').textContent(), 'decided: allow');
  assert.deepEqual(posts, [{ origin: 'null', site: 'same-origin', referrer: '' }]);
});

test('the same form on another site is refused, even with a right token', async (t) => {
  const { posts, elsewhere } = await site(t, FORM('ISSUER/decide'));
  const page = await browser.page(t);
  await page.goto(await elsewhere());
  await page.getByRole('button').click();
  assert.match((await page.locator('body').textContent()) ?? '', /"code":"csrf"/);
  assert.deepEqual([posts.length, posts[0]?.['site']], [1, 'same-site'], 'another port is another origin of one site');
});

test('scripts and styles run with the nonce only', async (t) => {
  const { origin } = await site(
    t,
    () => `<!doctype html><title>start</title><style nonce="NONCE">b{color:rgb(1,2,3)}</style><style>b{color:rgb(9,9,9)!important}</style>
    <b style="color:red" onclick="document.title='handler'">x</b>
    <script>document.title = 'no nonce'</script><script nonce="wrong">document.title = 'wrong'</script>
    <img src="/missing" onerror="document.title = 'onerror'"><a href="javascript:document.title='link'">y</a>`,
  );
  const page = await browser.page(t);
  await page.goto(origin);
  await page.locator('b').click();
  await page.locator('a').click();
  assert.equal(await page.title(), 'start');
  assert.equal(await page.locator('b').evaluate((b) => getComputedStyle(b).color), 'rgb(1, 2, 3)');
});

test('a mail is shown in the mailbox’s frame with its styles and without its scripts, and in no other page', async (t) => {
  const mail = '<p style="color:rgb(4,5,6)">code 123</p><script>document.body.textContent = "ran"</script>';
  const { origin } = await site(t, () => `${mail}<iframe src="/mail" sandbox="allow-popups" title=mail></iframe>`);
  const page = await browser.page(t);
  await page.goto(`${origin}/frames`);
  const framed = page.frameLocator('iframe').locator('p');
  assert.equal(await framed.textContent(), 'code 123');
  assert.equal(await framed.evaluate((p) => getComputedStyle(p).color), 'rgb(4, 5, 6)');
  await page.goto(`${origin}/other`);
  const blocked = page.frameLocator('iframe').getByText('code 123');
  assert.equal(await blocked.count(), 0, 'only a page that allows frames has them');
});
