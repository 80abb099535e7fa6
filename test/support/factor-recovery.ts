/** Somebody who lost every factor, on the way to be rid of them. Time passes by moving the row. */
import assert from 'node:assert/strict';
import type { TestApp } from './app.ts';
import { type Enrolled, enrolled, secondStep } from './factors.ts';
import type { Page, Visitor } from './visitor.ts';

export const DAY_MS = 86_400_000;
export const WAIT_MS = 3 * DAY_MS;
export const LATCHKEY_FACTOR_RECOVERY_WAIT = '72h';

/** Enrolled, with a password that is old enough to count. */
export async function settled(app: TestApp): Promise<Enrolled> {
  const person = await enrolled(app);
  await agePassword(app, person, WAIT_MS + 1000);
  return person;
}

export const agePassword = ({ services }: TestApp, { id }: Enrolled, ms: number) =>
  services.db.run('UPDATE accounts SET password_changed_at = ? WHERE id = ?', Date.now() - ms, id);

/** As if the waiting time had begun `ms` earlier. */
export const moveBack = ({ services }: TestApp, { id }: Enrolled, ms: number) =>
  services.db.run(
    'UPDATE factor_recoveries SET requested_at = requested_at - ?, ends_at = ends_at - ? WHERE account_id = ?',
    ms,
    ms,
    id,
  );

export const recoveryOf = ({ services }: TestApp, { id }: Enrolled) => services.factorRecovery.open(id);

/** The page of who lost everything, after the right password. */
export async function lost(app: TestApp, person: Enrolled, params: Record<string, string> = {}) {
  const { visitor, page, client, verifier } = await secondStep(app, person, { params });
  assert.match(page.html, /href="[^"]+\/lost"/, 'it is offered');
  return { visitor, client, verifier, page: await visitor.open(page.url.replace(/\/[a-z]+$/, '/lost')) };
}

const CODE = /^ {4}(\d{6})$/m;

/** The page for the code, and the code. */
export async function codeFor(app: TestApp, person: Enrolled, { visitor, page }: { visitor: Visitor; page: Page }) {
  const before = new Set(app.mails().map(({ id }) => id));
  const asked = await visitor.submit(page, {}, '/lost$');
  assert.match(asked.url, /\/lost\/code$/, asked.html);
  const mail = await app.mail(person.email, ({ id, text }) => !before.has(id) && CODE.test(text));
  return { page: asked, code: CODE.exec(mail.text)?.[1] as string };
}

/** Begins the waiting time; the link of the mail that tells of it. */
export async function begun(app: TestApp, person: Enrolled) {
  const at = await lost(app, person);
  const { page, code } = await codeFor(app, person, at);
  const waiting = await at.visitor.submit(page, { code }, '/lost/code$');
  assert.match(waiting.html, /The waiting time runs/);
  const warned = await app.mail(person.email, ({ subject }) => /wants to remove the second steps/.test(subject));
  return { ...at, page: waiting, link: linkIn(warned) };
}

export const linkIn = ({ text }: { text: string }) =>
  /^http\S+\/security\/keep-factors\/\S+$/m.exec(text)?.[0] as string;
