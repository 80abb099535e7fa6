/** What a page's script does with passkeys, by HTTP: asks for options with the token of the form, sends the answer. */
import assert from 'node:assert/strict';
import type { TestApp } from './app.ts';
import { type Authenticator, type CreationOptions, createAuthenticator, type RequestOptions } from './authenticator.ts';
import { authorizationRequest, FIREFOX, type Person, signedIn } from './flow.ts';
import { createVisitor, formsOf, type Page, type Visitor } from './visitor.ts';

/** The form of a page that the script works on. */
export function passkeyFormOf(page: Page): { action: string; options: string; csrf: string } {
  const tag = /<form[^>]*data-passkey[^>]*>/.exec(page.html)?.[0];
  assert.ok(tag, `no passkey form on ${page.url}: ${page.html.slice(0, 1500)}`);
  const action = /action="([^"]+)"/.exec(tag)?.[1] as string;
  const csrf = formsOf(page).find((form) => form.action === action)?.fields['csrf'] as string;
  return { action, options: /data-options="([^"]+)"/.exec(tag)?.[1] as string, csrf };
}

export async function optionsFor<Options = CreationOptions & RequestOptions>(
  visitor: Visitor,
  page: Page,
): Promise<Options> {
  const { options, csrf } = passkeyFormOf(page);
  const response = await visitor.request(options, { method: 'POST', headers: { 'x-csrf-token': csrf } });
  const text = await response.text();
  assert.equal(response.status, 200, text.slice(0, 500));
  return JSON.parse(text);
}

export function answer(visitor: Visitor, page: Page, response: object, more: Record<string, string> = {}) {
  return visitor.submit(page, { response: JSON.stringify(response), ...more }, `^${passkeyFormOf(page).action}$`);
}

/** A signed-in person who has just added a passkey on the account page. */
export async function withPasskey(
  app: TestApp,
  options: { person?: Person; synced?: boolean; visitor?: Visitor } = {},
) {
  const user = await signedIn(app, options);
  const authenticator = createAuthenticator(app.url, { synced: options.synced ?? false });
  await addPasskey(user.visitor, authenticator);
  return { ...user, authenticator };
}

export async function addPasskey(visitor: Visitor, authenticator: Authenticator, name = '', proof?: Authenticator) {
  const path = '/account/security/passkey/new';
  const page = proof ? await openFresh(visitor, proof, path) : await visitor.open(path);
  const added = await answer(visitor, page, authenticator.create(await optionsFor(visitor, page)), { name });
  assert.equal(added.status, 200, added.html.slice(0, 1500));
  return added;
}

/** The page of recovery codes that comes after the first factor on the way in: shown, and saved. */
export async function saveCodes(visitor: Visitor, page: Page): Promise<Page> {
  assert.match(page.url, /\/protect\/recovery$/, page.html.slice(0, 1500));
  const shown = await visitor.submit(page, {}, '/recovery$');
  const done = formsOf(shown).at(-1)?.action as string;
  return visitor.submit(shown, {}, done);
}

/** A page of the account that asks for a fresh proof, opened with the passkey as that proof. */
export async function openFresh(visitor: Visitor, authenticator: Authenticator, path: string): Promise<Page> {
  const page = await visitor.open(path);
  if (!page.url.includes('/login/')) return page;
  return answer(visitor, page, authenticator.get(await optionsFor(visitor, page)));
}

/** The first page of a new sign-in in a browser that nobody used before. */
export async function signInPage(app: TestApp, clientId: string, params: Record<string, string | undefined> = {}) {
  const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
  return { visitor, page: await visitor.open(authorizationRequest(app, clientId, params).url) };
}
