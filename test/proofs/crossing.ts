/** What one instance gave is used at another one, each step at the other of the two. */
import assert from 'node:assert/strict';
import type { TestApp } from '../support/app.ts';
import { authorizationRequest, CALLBACK, type Person, signIn, token } from '../support/flow.ts';
import { createVisitor, type Visitor } from '../support/visitor.ts';
import { pause } from './proof.ts';

type Client = { client_id: string; client_secret?: string };

/**
 * @param visitor somebody who is signed in.
 * @param instances addresses at which each answers to the issuer's name.
 * @throws AssertionError when one does not know what the other made.
 */
export async function crossing(
  app: Pick<TestApp, 'url'>,
  visitor: Visitor,
  client: Client,
  instances: readonly [string, string],
): Promise<void> {
  for (const [here, there] of [instances, [...instances].reverse()] as [string, string][]) {
    const at = (url: string) => ({ url }) as TestApp;
    const request = authorizationRequest(app as TestApp, client.client_id, { prompt: 'none' });
    const { pathname, search } = new URL(request.url);
    const cookie = visitor.cookieFor(request.url);
    const answer = await fetch(here + pathname + search, { headers: { cookie }, redirect: 'manual' });
    const code = new URL(answer.headers.get('location') ?? here).searchParams.get('code');
    assert.ok(code, `a session is known at both: ${answer.status} ${answer.headers.get('location')}`);
    const exchange = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK };
    const tokens = await token(at(there), client, { ...exchange, code_verifier: request.verifier });
    assert.equal(tokens.status, 200, `a code is redeemed at the other: ${JSON.stringify(tokens.body)}`);
    const userinfo = (url: string) =>
      fetch(`${url}/oauth2/userinfo`, { headers: { authorization: `Bearer ${tokens.body.access_token}` } });
    assert.deepEqual([(await userinfo(here)).status, (await userinfo(there)).status], [200, 200], 'an access token');
    const refresh = (refreshToken: unknown, url: string) =>
      token(at(url), client, { grant_type: 'refresh_token', refresh_token: refreshToken as string });
    const first = await refresh(tokens.body.refresh_token, here);
    assert.equal(first.status, 200, `a refresh token: ${JSON.stringify(first.body)}`);
    const second = await refresh(first.body.refresh_token, there);
    assert.equal(second.status, 200, `its successor: ${JSON.stringify(second.body)}`);
  }
}

/**
 * A person signs in at one instance, changes the password twice at the other with what that gave, and signs in again
 * with its page at the one and its end at the other.
 * @param client a public one.
 * @throws AssertionError when either is not as fresh as it is.
 */
export async function crossingPasswords(
  app: Pick<TestApp, 'url'>,
  { email, password }: Pick<Person, 'email' | 'password'>,
  client: Client,
  instances: readonly [string, string],
): Promise<void> {
  let current = password;
  for (const [here, there] of [instances, [...instances].reverse()] as [string, string][]) {
    const tokens = await signedInBetween(app, { email, password: current }, client, [here, here]);
    for (const next of [`${current}, once more`, password]) {
      const change = await fetch(`${there}/api/v1/account/password`, {
        method: 'POST',
        headers: { authorization: `Bearer ${tokens.access_token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ current_password: current, new_password: next }),
      });
      assert.equal(change.status, 204, `signed in a moment ago at the other: ${await change.text()}`);
      current = next;
    }
    await nextSecond();
    await signedInBetween(app, { email, password: current }, client, [here, there]);
  }
}

/** The page of the sign-in is of the one, what follows it of the other. */
async function signedInBetween(
  app: Pick<TestApp, 'url'>,
  person: Pick<Person, 'email' | 'password'>,
  client: Client,
  [here, there]: readonly [string, string],
) {
  const visitor = createVisitor(here);
  const scope = 'openid account:read account:write';
  const request = authorizationRequest(app as TestApp, client.client_id, { scope });
  const pathOf = (url: string) => new URL(url).pathname + new URL(url).search;
  const { url: finished } = await signIn(visitor, await visitor.open(pathOf(request.url)), person);
  const headers = { cookie: visitor.cookieFor(finished) };
  const answer = await fetch(there + pathOf(finished), { headers, redirect: 'manual' });
  const location = answer.headers.get('location');
  const code = new URL(location ?? '', app.url).searchParams.get('code');
  assert.ok(code, `a sign-in is finished at the other: ${answer.status} ${location}`);
  const exchange = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK };
  const tokens = await token({ url: here } as TestApp, client, { ...exchange, code_verifier: request.verifier });
  assert.equal(tokens.status, 200, JSON.stringify(tokens.body));
  return tokens.body;
}

/** 0.1.0 notes in whole seconds when somebody signed in: what came in the second of a change may have come before it. */
export const nextSecond = (): Promise<void> => pause(1001 - (Date.now() % 1000));
