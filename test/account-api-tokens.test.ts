/** Bearer tokens of the account API: which open it, and what ends them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as jose from 'jose';
import { apiUser, assertRefused, CALLS, createApi, SCOPE } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, signedIn, token } from './support/flow.ts';

const challengeOf = (answer: { headers: Headers }) => answer.headers.get('www-authenticate') ?? '';

describe('bearer tokens', () => {
  test('nobody gets in without one, and the answer names the scheme', async (t) => {
    const app = await startApp(t);
    for (const { line } of CALLS) {
      const answer = await createApi(app)(line);
      assertRefused(answer, 'unauthenticated');
      assert.equal(challengeOf(answer), 'Bearer');
    }
    const basic = await createApi(app)('GET /api/v1/account', { headers: { authorization: 'Basic dTpw' } });
    assertRefused(basic, 'unauthenticated');
  });

  test('one that is unknown, misshapen, not for us or not an access token is refused', async (t) => {
    const app = await startApp(t);
    const { tokens } = await apiUser(app);
    const wrong = [
      'x',
      'x'.repeat(4000),
      tokens.refresh_token as string,
      tokens.id_token as string,
      `${tokens.access_token}x`,
    ];
    for (const { line } of CALLS) {
      for (const value of wrong) {
        const answer = await createApi(app, value)(line);
        assertRefused(answer, 'invalid_token');
        assert.match(challengeOf(answer), /^Bearer error="invalid_token", error_description="[^"\\]+"$/);
      }
    }
    for (const authorization of ['Bearer', 'Bearer a b', 'Bearer "x"', `Bearer ${tokens.access_token}, Bearer x`]) {
      assertRefused(await createApi(app)('GET /api/v1/account', { headers: { authorization } }), 'invalid_token');
    }
    const lower = await createApi(app)('GET /api/v1/account', {
      headers: { authorization: `bearer ${tokens.access_token}` },
    });
    assert.equal(lower.status, 200, 'the scheme is not case-sensitive (RFC 9110 section 11.1)');
  });

  test('a token of a client alone, without a person, is refused', async (t) => {
    const app = await startApp(t);
    const client = await app.client({ grant_types: ['client_credentials'], redirect_uris: [], response_types: [] });
    const { body, status } = await token(app, client, { grant_type: 'client_credentials' });
    assert.equal(status, 200, JSON.stringify(body));
    assertRefused(await createApi(app, body.access_token)('GET /api/v1/account'), 'invalid_token');
  });

  test('a token for another resource is refused, whatever its format', async (t) => {
    const config = ['jwt', 'opaque'].map(
      (format) => `  - identifier: https://${format}.example.com
    name: ${format}
    access_token_format: ${format}
    scopes: [{ name: "${format}:read" }]
`,
    );
    const app = await startApp(t, { config: `resources:\n${config.join('')}` });
    for (const format of ['jwt', 'opaque']) {
      const params = { scope: `openid account:read ${format}:read`, resource: `https://${format}.example.com` };
      const client = await app.client();
      const { tokens } = await signedIn(app, { client, params });
      assert.equal(tokens.access_token.split('.').length, format === 'jwt' ? 3 : 1);
      assertRefused(await createApi(app, tokens.access_token)('GET /api/v1/account'), 'invalid_token');
    }
  });

  test('the scope decides what a token may do, and a refusal names the one that is missing', async (t) => {
    const app = await startApp(t);
    for (const scope of ['openid', 'openid account:read', 'openid account:write']) {
      const { api } = await apiUser(app, { scope });
      for (const call of CALLS) {
        const answer = await api(call.line);
        if (scope.includes(call.scope))
          assert.notEqual(answer.body?.code, 'insufficient_scope', `${scope}: ${call.line}`);
        else {
          assertRefused(answer, 'insufficient_scope');
          assert.match(challengeOf(answer), new RegExp(`^Bearer error="insufficient_scope", .*scope="${call.scope}"$`));
        }
      }
    }
  });

  test('a token in the address is refused and called leaked', async (t) => {
    const app = await startApp(t);
    const { api, tokens } = await apiUser(app);
    for (const call of [createApi(app), api]) {
      const answer = await call(`GET /api/v1/account?access_token=${tokens.access_token}`);
      assertRefused(answer, 'invalid_request');
      assert.match(answer.body.detail, /leaked/);
    }
  });

  test('an expired token is refused', async (t) => {
    const app = await startApp(t);
    const { api } = await apiUser(app);
    await api('GET /api/v1/account');
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 14 * 60_000 });
    await api('GET /api/v1/account');
    t.mock.timers.setTime(Date.now() + 2 * 60_000);
    assertRefused(await api('GET /api/v1/account'), 'invalid_token');
  });

  test('revoking, signing out, disabling and deleting are felt by the very next request', async (t) => {
    const app = await startApp(t);
    const ends: Array<[string, (user: Awaited<ReturnType<typeof apiUser>>) => Promise<unknown>]> = [
      ['revoked', ({ client, tokens }) => revoke(app, client, tokens.access_token)],
      ['grant revoked', ({ client, tokens }) => revoke(app, client, tokens.refresh_token as string)],
      ['signed out', async ({ visitor }) => visitor.submit(await visitor.open('/account'), {}, 'sign-out')],
      ['disabled', ({ person }) => app.services.accounts.disable(person.id)],
      ['deleted', ({ person }) => app.services.deletion.remove(person.id)],
      ['client disabled', ({ client }) => app.services.clients.update(client.client_id, {}, false)],
      ['client removed', ({ client }) => app.services.clients.remove(client.client_id)],
    ];
    for (const [name, end] of ends) {
      const user = await apiUser(app);
      await user.api('GET /api/v1/account');
      await end(user);
      const answer = await user.api('GET /api/v1/account');
      assert.equal(answer.body.code, 'invalid_token', `${name}: ${JSON.stringify(answer.body)}`);
    }
  });

  test('a token that is bound to a key is not taken without its proof', async (t) => {
    const app = await startApp(t);
    const client = await app.client();
    const { visitor, person } = await signedIn(app, { client });
    const request = authorizationRequest(app, client.client_id, { scope: SCOPE });
    const code = codeOf(await visitor.open(request.url)) as string;
    const { privateKey, publicKey } = await jose.generateKeyPair('ES256');
    const dpop = await new jose.SignJWT({ htm: 'POST', htu: `${app.url}/oauth2/token`, jti: 'once-and-only' })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await jose.exportJWK(publicKey) })
      .setIssuedAt()
      .sign(privateKey);
    const grant = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: request.verifier };
    const { body } = await token(app, client, grant, { dpop });
    assert.equal(body['token_type'], 'DPoP', `${person.email} ${JSON.stringify(body)}`);
    const asBearer = await createApi(app, body.access_token)('GET /api/v1/account');
    assertRefused(asBearer, 'invalid_token');
    assert.match(asBearer.body.detail, /DPoP/);
    const asDpop = await createApi(app)('GET /api/v1/account', {
      headers: { authorization: `DPoP ${body.access_token}`, dpop },
    });
    assertRefused(asDpop, 'invalid_token');
  });
});

function revoke(app: TestApp, client: { client_id: string; client_secret: string }, value: string) {
  const authorization = `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')}`;
  return fetch(`${app.url}/oauth2/revoke`, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams({ token: value }),
  });
}
