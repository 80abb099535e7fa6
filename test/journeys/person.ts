/** What a person does on the hosted pages, by the names of the fields (no knowledge of how the pages look). */
import { randomBytes } from 'node:crypto';
import type { Page } from 'playwright-core';

export interface Person {
  name: string;
  email: string;
  password: string;
}

/** The issuer's mailbox. */
interface Mailbox {
  mail(to: string): Promise<{ text: string }>;
}

export function newPerson(): Person {
  const id = randomBytes(6).toString('hex');
  return { name: 'Ada Lovelace', email: `ada.${id}@example.com`, password: `analytical engine ${id}` };
}

/** Fills in the registration page, then the code from the mail. */
export async function register(page: Page, mailbox: Mailbox, person: Person): Promise<void> {
  await page.locator('input[name=name]').fill(person.name);
  await page.locator('input[name=email]').fill(person.email);
  await page.locator('input[name=password]').fill(person.password);
  await page.locator('input[name=password]').press('Enter');
  const code = page.locator('input[name=code]');
  await code.waitFor();
  await code.fill(await mailedCode(mailbox, person));
  await code.press('Enter');
}

export async function signIn(page: Page, person: Person): Promise<void> {
  await page.locator('input[name=email]').fill(person.email);
  await page.locator('input[name=password]').fill(person.password);
  await page.locator('input[name=password]').press('Enter');
}

/** From another computer: signs in on the account pages and ends every other session. */
export async function endOtherSessions(page: Page, issuer: string, person: Person): Promise<void> {
  await page.goto(`${issuer}/account/sessions`);
  await signIn(page, person);
  await page.locator('form[action="/account/sessions/end-others"] button').click();
  await page.waitForURL(/notice=others-ended/);
}

/** Waits for the way home after an app's sign-out: who shows an ID token of the session is not asked. */
export async function signedOutAt(page: Page, home: string): Promise<void> {
  await page.waitForURL(home);
}

async function mailedCode(mailbox: Mailbox, person: Person): Promise<string> {
  const { text } = await mailbox.mail(person.email);
  const code = /\b(\d{3}) ?(\d{3})\b/.exec(text);
  if (!code) throw new Error(`There is no code in the mail:\n${text}`);
  return `${code[1]}${code[2]}`;
}
