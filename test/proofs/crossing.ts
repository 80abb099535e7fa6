/** What one instance gave is used at another one, each step at the other of the two. */
import assert from 'node:assert/strict';
import type { TestApp } from '../support/app.ts';
import { authorizationRequest, CALLBACK, token } from '../support/flow.ts';
import type { Visitor } from '../support/visitor.ts';

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
