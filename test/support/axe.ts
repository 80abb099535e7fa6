/** axe-core in a page, run as the page's own: many times faster than its Playwright wrapper, which opens a tab each time. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const wrapper = createRequire(import.meta.resolve('@axe-core/playwright'));
const source = readFileSync(wrapper.resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const inPage = new WeakMap<Page, Promise<void>>();

/** Sent to the browser once for a page: half a megabyte. It is there whatever the content security policy says. */
async function install(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('Page.enable');
  await session.send('Page.addScriptToEvaluateOnNewDocument', { source, runImmediately: true });
}

/**
 * What axe finds wrong, a line each. Frames are left out: no script runs in the sandboxed one of a mail.
 * `except` names rules that don't apply.
 */
export async function axe(page: Page, { except = [] }: { except?: string[] } = {}): Promise<string[]> {
  const installed = inPage.get(page) ?? install(page);
  inPage.set(page, installed);
  await installed;
  const options = {
    runOnly: RULES,
    iframes: false,
    resultTypes: ['violations'],
    rules: Object.fromEntries(except.map((rule) => [rule, { enabled: false }])),
  };
  // All that it looked at is ten times what it finds: the lines are made in the page.
  return page.evaluate(`axe.run(${JSON.stringify(options)}).then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ' at ' + nodes.map(({ target }) => target.join(' ')).join(', ')))`);
}
