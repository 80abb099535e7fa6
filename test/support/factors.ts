/** A person's phone and their saved codes: what proves a second factor in tests. The codes are those of oathtool. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestApp } from './app.ts';
import { authorizationRequest, FIREFOX, type Person, signIn, somebody } from './flow.ts';
import { createVisitor, type Page, type Visitor } from './visitor.ts';

const STEP_S = 30;
/** So long a busy machine may take to look at a code. */
const LOOKED_AT_MS = 3000;

/** The code of this moment, or of `steps` steps later. */
export function oath(secret: string, steps = 0): string {
  const at = Math.floor(Date.now() / 1000) + steps * STEP_S;
  return execFileSync('oathtool', ['--totp', '-b', '--now', `@${at}`, secret], { encoding: 'utf8' }).trim();
}

/**
 * The code before the present one, which leaves that one unused. Of a step that is nearly over it would be too old when it
 * is looked at: the next step is waited for then.
 */
export async function oathBefore(secret: string): Promise<string> {
  const leftMs = STEP_S * 1000 - (Date.now() % (STEP_S * 1000));
  if (leftMs < LOOKED_AT_MS) await sleep(leftMs + 1);
  return oath(secret, -1);
}

/** A code that is none of those near this moment. */
export function wrongCode(secret: string): string {
  const near = [-2, -1, 0, 1, 2].map((steps) => oath(secret, steps));
  return ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !near.includes(code)) as string;
}

export interface Enrolled extends Person {
  secret: string;
  /** Of the authenticator. */
  factorId: string;
}

/** An account with an authenticator app, set up with the code before the present one, which is unused then. */
export async function enrolled(app: TestApp, changes: Partial<Person> = {}): Promise<Enrolled> {
  const person = await somebody(app, changes);
  return { ...person, ...(await enrol(app, person)) };
}

export async function enrol(app: TestApp, person: Person): Promise<{ secret: string; factorId: string }> {
  const { totp } = app.services;
  const setup = await totp.begin({ accountId: person.id, label: person.email, holder: 'test' });
  const by = { via: 'system', ip: null, userAgent: null, requestId: null, device: 'a test' } as const;
  const proof = { accountId: person.id, code: oath(setup.secret), name: 'Phone', holder: 'test' };
  const factorId = await totp.confirm(proof, { by });
  // With that code itself, the set-up would fail whenever a step ended just now.
  await app.services.db.run('UPDATE totps SET last_step = last_step - 1 WHERE id = ?', factorId);
  return { secret: setup.secret, factorId };
}

/** The page of the second step, after the password, in a new browser unless one is given. */
export async function secondStep(
  app: TestApp,
  person: Pick<Person, 'email' | 'password'>,
  { params, visitor }: { params?: Record<string, string | undefined>; visitor?: Visitor } = {},
): Promise<{ visitor: Visitor; page: Page; client: { client_id: string; client_secret: string }; verifier: string }> {
  const browser = visitor ?? createVisitor(app.url, { 'user-agent': FIREFOX });
  const client = await app.client();
  const { url, verifier } = authorizationRequest(app, client.client_id, params);
  const page = await signIn(browser, await browser.open(url), person);
  return { visitor: browser, page, client, verifier };
}

/** Signed in to the account area with password and authenticator, by the code of this moment. */
export async function inAccount(app: TestApp, person: Enrolled): Promise<Visitor> {
  const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
  const page = await signIn(visitor, await visitor.open('/account'), person);
  const done = await visitor.submit(page, { code: oath(person.secret) }, '/totp$');
  assert.equal(new URL(done.url).pathname, '/account', done.html.slice(0, 500));
  return visitor;
}

/** The recovery codes that a page shows. */
export function codesOn({ html }: Page): string[] {
  return [...html.matchAll(/<code>([0-9A-Z-]{19})<\/code>/g)].map(([, code]) => code as string);
}

/** The secret that a page shows to be typed. */
export function secretOn({ html }: Page): string {
  const shown = /<p class="secret">(.*?)<\/p>/.exec(html)?.[1] ?? '';
  return [...shown.matchAll(/<span>([A-Z2-7]+)<\/span>/g)].map(([, group]) => group).join('');
}
