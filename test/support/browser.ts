/** The real browser for tests: the system's Chromium, one per test file. CHROMIUM_PATH names another binary. */
import { after, type TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
];
/** How long a page may take to show what a test waits for. */
const PATIENCE_MS = 30_000;

/** Call once at the top of a test file. The browser starts at the first page and is closed after the file's tests. */
export function createBrowser() {
  let browser: Promise<Browser> | undefined;
  after(async () => (await browser)?.close());

  /** A page in a profile of its own, as if on another computer. A failed test tells what was on it. */
  async function page(t: TestContext, options: BrowserContextOptions = {}): Promise<Page> {
    browser ??= chromium.launch({
      executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
      args: ARGUMENTS,
    });
    const context = await (await browser).newContext({ locale: 'en-GB', ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const opened = await context.newPage();
    tellWhenFailed(t, async () => `The browser was at ${opened.url()} and showed:\n${await content(opened)}`);
    t.after(() => context.close());
    return opened;
  }

  return { page };
}

/** Adds words to the output of a test that failed. */
export function tellWhenFailed(t: TestContext, words: () => string | Promise<string>): void {
  t.after(async () => {
    const { passed } = t as TestContext & { passed: boolean }; // Node 24 has it, its types don't
    if (!passed) t.diagnostic(await words());
  });
}

async function content(page: Page): Promise<string> {
  const tree = await page.locator('body').ariaSnapshot({ timeout: 1000 }).catch(String);
  return tree.slice(0, 3000);
}
