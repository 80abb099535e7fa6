/** The clock of a running process jumps. */
import assert from 'node:assert/strict';
import type { TestApp } from '../support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, PASSWORD, signedIn, signIn, token } from '../support/flow.ts';
import { inside } from '../support/inside.ts';
import { createVisitor } from '../support/visitor.ts';
import { startWatchedIssuer } from '../support/watched-issuer.ts';
import type { Proof } from './proof.ts';

const HOUR_MS = 3_600_000;

const jump: Proof<{ jumps: number }> = {
  fault: 'the clock jumps two hours ahead and one hour back',
  promise: 'no crash; what expired stays expired, what lives goes on, and people sign in at any hour',
  few: { jumps: 2 },
  full: { jumps: 20 },

  async run(t, { jumps }) {
    const issuer = await startWatchedIssuer(t);
    const app = issuer as unknown as TestApp;
    const { person, client } = await inside(issuer, async ({ accounts, clients }) => {
      const given = { email: 'ada@example.com', name: 'Ada', password: PASSWORD };
      const { id } = await accounts.create({ ...given, verified: true });
      const metadata = { client_name: 'App', first_party: true, redirect_uris: [CALLBACK] };
      const made = await clients.create({ source: 'cli', metadata });
      return { person: { ...given, id }, client: made as unknown as { client_id: string; client_secret: string } };
    });
    const userinfo = async (accessToken: string) =>
      (await fetch(`${issuer.url}/oauth2/userinfo`, { headers: { authorization: `Bearer ${accessToken}` } })).status;
    const refresh = (refreshToken: string) =>
      token(app, client, { grant_type: 'refresh_token', refresh_token: refreshToken });

    for (let n = 0; n < jumps; n += 1) {
      const { tokens } = await signedIn(app, { person, client });
      const visitor = createVisitor(issuer.url);
      const request = authorizationRequest(app, client.client_id);
      const login = await visitor.open(request.url);
      const ahead = n % 2 === 0;
      await issuer.moveClock(ahead ? 2 * HOUR_MS : -HOUR_MS);
      assert.equal(await userinfo(tokens.access_token), ahead ? 401 : 200, 'an access token is judged by the clock');
      const renewed = await refresh(tokens.refresh_token as string);
      assert.equal(renewed.status, 200, `a refresh token lives for days: ${JSON.stringify(renewed.body)}`);
      const page = await signIn(visitor, login, person);
      // A sign-in page that was opened two hours ago by this clock is over, in words; else it goes on.
      assert.ok(ahead ? page.status < 500 : codeOf(page), `${page.status} ${page.url}`);
      const fresh = await signedIn(app, { person, client });
      assert.equal(await userinfo(fresh.tokens.access_token), 200);
      await issuer.moveClock(0);
      // Tokens of the other time: a living answer or a refusal, and never a fault.
      assert.ok([200, 401].includes(await userinfo(fresh.tokens.access_token)));
      assert.ok(
        [200, 400].includes((await refresh(renewed.body.refresh_token ?? (tokens.refresh_token as string))).status),
      );
      const after = await signedIn(app, { person, client });
      assert.equal(await userinfo(after.tokens.access_token), 200);
    }
    assert.doesNotMatch(issuer.output(), /"level":"(error|fatal)"|"level":[56]0/);
    return `${jumps} jumps, no error in the log`;
  },
};

export const proofs = [jump];
