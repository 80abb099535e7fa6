/** What one instance revoked, another one on the same PostgreSQL refuses: within a second, with Redis and without. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestApp } from './support/app.ts';
import { CALLBACK, signedIn, token } from './support/flow.ts';
import { inside } from './support/inside.ts';
import { twoInstances } from './support/instances.ts';
import { newUsers } from './support/traffic.ts';

const WITHIN_MS = 1000;

describe('what was revoked at another instance', () => {
  for (const redis of [false, true]) {
    test(`is refused here within a second, ${redis ? 'with' : 'without'} Redis`, async (t) => {
      const [issuer, other] = await twoInstances(t, { redis });
      const here = issuer as unknown as TestApp;
      const there = { url: other } as TestApp;
      const client = await inside(issuer, ({ clients }) => {
        const metadata = { client_name: 'App', first_party: true, redirect_uris: [CALLBACK] };
        return clients.create({ source: 'cli', metadata: { ...metadata, token_endpoint_auth_method: 'none' } });
      });
      const { person } = await newUsers(issuer);
      const app = { client_id: client.client_id } as { client_id: string; client_secret: string };
      const given = () => signedIn(here, { person, client: app, scope: 'openid account:read account:write' });
      const works = async (at: TestApp, tokens: { access_token: string; refresh_token?: string }) => {
        const headers = { authorization: `Bearer ${tokens.access_token}` };
        const api = await fetch(`${at.url}/api/v1/account`, { headers });
        const userinfo = await fetch(`${at.url}/oauth2/userinfo`, { headers });
        return [api.status, userinfo.status];
      };
      const refreshed = async (at: TestApp, refreshToken: unknown) =>
        (await token(at, app, { grant_type: 'refresh_token', refresh_token: refreshToken as string })).status;

      // By the application (RFC 7009): its refresh token, and what came with it.
      const first = await given();
      // The other instance has seen all of it, so that whatever it may remember is there.
      assert.deepEqual(await works(there, first.tokens), [200, 200]);
      const body = new URLSearchParams({ client_id: app.client_id, token: first.tokens.refresh_token as string });
      const revoked = await fetch(`${here.url}/oauth2/revoke`, { method: 'POST', body });
      assert.equal(revoked.status, 200);
      await refusedSoon(() => works(there, first.tokens), [401, 401]);
      assert.equal(await refreshed(there, first.tokens.refresh_token), 400);

      // By the person, the other way round: every other session.
      const [own, lost] = [await given(), await given()];
      assert.deepEqual(await works(here, lost.tokens), [200, 200]);
      const headers = { authorization: `Bearer ${own.tokens.access_token}` };
      const path = '/api/v1/account/sessions?except=current';
      assert.equal((await fetch(there.url + path, { method: 'DELETE', headers })).status, 204);
      await refusedSoon(() => works(here, lost.tokens), [401, 401]);
      assert.equal(await refreshed(here, lost.tokens.refresh_token), 400);
      assert.deepEqual(await works(here, own.tokens), [200, 200]);
    });
  }
});

async function refusedSoon(look: () => Promise<number[]>, wanted: number[]): Promise<void> {
  const until = performance.now() + WITHIN_MS;
  let found = await look();
  while (performance.now() < until && String(found) !== String(wanted)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    found = await look();
  }
  assert.deepEqual(found, wanted);
}
