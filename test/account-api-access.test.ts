/** Who may use the account API: tokens and what ends them, cookies and what guards them, other origins, methods. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import * as jose from 'jose';
import { OPERATIONS } from '../src/api/operations.ts';
import { apiUser, assertRefused, createApi, operationFor, SCOPE } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, signedIn, token } from './support/flow.ts';
import { createVisitor, formsOf } from './support/visitor.ts';

const challengeOf = (answer: { headers: Headers }) => answer.headers.get('www-authenticate') ?? '';

/** A well-formed request of each operation; ids name nothing. */
const CALLS = OPERATIONS.map(({ method, path, scope, id }) => ({
  line: `${method.toUpperCase()} ${path.replace(/\{[a-z_]+\}/, 'nothing')}${id === 'endOtherSessions' ? '?except=current' : ''}`,
  scope,
}));

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
        if (call.line.includes('except=current')) break;
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
      ['deleted', ({ person }) => app.services.accounts.remove(person.id)],
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

describe('the browser’s cookie', () => {
  async function atTheAccountPage(t: TestContext) {
    const app = await startApp(t);
    const user = await apiUser(app);
    const page = await user.visitor.open('/account');
    const csrf = formsOf(page)[0]?.fields['csrf'] as string;
    assert.ok(csrf, page.html.slice(0, 500));
    const api = createApi(app);
    const call = (line: string, headers: Record<string, string> = {}, json?: unknown) =>
      api(line, { headers, ...(json === undefined ? {} : { json }), send: user.visitor.request });
    return { app, user, csrf, call };
  }

  test('reads, and changes with the page’s token', async (t) => {
    const { user, csrf, call } = await atTheAccountPage(t);
    assert.equal((await call('GET /api/v1/account')).body.id, user.person.id);
    const changed = await call(
      'PATCH /api/v1/account',
      { 'x-csrf-token': csrf, 'sec-fetch-site': 'same-origin' },
      { name: 'New' },
    );
    assert.equal(changed.body.name, 'New');
    const { items } = (await call('GET /api/v1/account/sessions')).body;
    assert.deepEqual(items.map(({ kind, current }: { kind: string; current: boolean }) => [kind, current])[0], [
      'browser',
      true,
    ]);
  });

  test('changes nothing without that token, with another’s, or from another site', async (t) => {
    const { app, user, csrf, call } = await atTheAccountPage(t);
    const stranger = await apiUser(app);
    const theirs = formsOf(await stranger.visitor.open('/account'))[0]?.fields['csrf'] as string;
    const { items } = (await call('GET /api/v1/account/sessions')).body;
    const refused: Record<string, string>[] = [
      {},
      { 'x-csrf-token': '' },
      { 'x-csrf-token': 'x' },
      { 'x-csrf-token': theirs },
      { 'x-csrf-token': csrf, origin: 'https://evil.example' },
      { 'x-csrf-token': csrf, 'sec-fetch-site': 'cross-site' },
      { 'x-csrf-token': csrf, 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of refused) {
      for (const { line } of CALLS.filter((call) => call.scope === 'account:write')) {
        assertRefused(await call(line, headers, line.startsWith('DELETE') ? undefined : { name: 'Evil' }), 'csrf');
      }
    }
    assert.deepEqual((await call('GET /api/v1/account/sessions')).body.items.length, items.length);
    assert.equal((await call('GET /api/v1/account')).body.name, user.person.name);
  });

  test('a forged or ended cookie is nobody, and a token beside it counts alone', async (t) => {
    const { app, user, csrf, call } = await atTheAccountPage(t);
    const both = await call('GET /api/v1/account', { authorization: 'Bearer x' });
    assertRefused(both, 'invalid_token');
    const cookie = [...user.visitor.cookies]
      .map(([key, { value }]) => `${key.split(' ')[0]}=${value.replace(/.$/, '_')}`)
      .join('; ');
    assertRefused(await createApi(app)('GET /api/v1/account', { headers: { cookie } }), 'unauthenticated');
    await app.services.sessions.revokeAll(user.person.id);
    assertRefused(await call('GET /api/v1/account'), 'unauthenticated');
    assertRefused(
      await call('DELETE /api/v1/account/sessions?except=current', { 'x-csrf-token': csrf }),
      'unauthenticated',
    );
  });

  test('ending all others keeps this browser with the applications signed in from it', async (t) => {
    const { app, user, csrf, call } = await atTheAccountPage(t);
    const other = await apiUser(app, { person: user.person, visitor: createVisitor(app.url) });
    await call('DELETE /api/v1/account/sessions?except=current', { 'x-csrf-token': csrf });
    assertRefused(await other.api('GET /api/v1/account'), 'invalid_token');
    await user.api('GET /api/v1/account');
    await call('GET /api/v1/account');
  });
});

describe('other origins', () => {
  test('only those of registered clients may read, none with cookies', async (t) => {
    const app = await startApp(t);
    const { api } = await apiUser(app, {
      client: await app.client({ redirect_uris: [CALLBACK, 'https://spa.example.com/back'] }),
    });
    const read = async (origin: string) => (await api('GET /api/v1/account', { headers: { origin } })).headers;
    for (const origin of ['https://spa.example.com', new URL(CALLBACK).origin]) {
      const headers = await read(origin);
      assert.equal(headers.get('access-control-allow-origin'), origin);
      assert.match(headers.get('access-control-expose-headers') ?? '', /WWW-Authenticate/i);
      assert.match(headers.get('vary') ?? '', /Origin/i);
      assert.equal(headers.get('access-control-allow-credentials'), null);
      const failed = await createApi(app)('GET /api/v1/account', { headers: { origin } });
      assert.equal(failed.headers.get('access-control-allow-origin'), origin, 'a script sees why it was refused');
    }
    const strangers = [
      'https://evil.example',
      'null',
      'https://spa.example.com.evil.example',
      'http://spa.example.com',
      'https://spa.example.com:444',
    ];
    for (const origin of strangers) {
      assert.equal((await read(origin)).get('access-control-allow-origin'), null, origin);
      assert.equal(
        (await createApi(app)('GET /openapi.json', { headers: { origin } })).headers.get('access-control-allow-origin'),
        '*',
      );
    }
  });

  test('a preflight tells a registered origin what it may send, and others nothing', async (t) => {
    const app = await startApp(t);
    await app.client({ redirect_uris: ['https://spa.example.com/back'] });
    const preflight = (origin: string) =>
      fetch(`${app.url}/api/v1/account`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'PATCH',
          'access-control-request-headers': 'authorization,content-type',
        },
      });
    const known = await preflight('https://spa.example.com');
    assert.equal(known.status, 204);
    assert.equal(known.headers.get('access-control-allow-origin'), 'https://spa.example.com');
    assert.match(known.headers.get('access-control-allow-methods') ?? '', /PATCH/);
    assert.match(known.headers.get('access-control-allow-headers') ?? '', /authorization/i);
    const stranger = await preflight('https://evil.example');
    for (const name of ['origin', 'methods', 'headers'])
      assert.equal(stranger.headers.get(`access-control-allow-${name}`), null);
  });
});

test('a method that a path does not have is a 405 with those it has, an unknown path a 404', async (t) => {
  const app = await startApp(t);
  const { api } = await apiUser(app);
  const paths = [...new Set(OPERATIONS.map(({ path }) => path))];
  for (const path of [...paths, '/openapi.json']) {
    const target = path.replace(/\{[a-z_]+\}/, 'nothing');
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      if (operationFor(method, target) || (method === 'GET' && path === '/openapi.json')) continue;
      const answer = await api(`${method} ${target}`);
      assertRefused(answer, 'method_not_allowed');
      const allowed = (answer.headers.get('allow') ?? '').split(', ');
      const wanted = OPERATIONS.filter((operation) => operation.path === path).map((operation) =>
        operation.method.toUpperCase(),
      );
      for (const each of wanted) assert.ok(allowed.includes(each), `${target} allows ${allowed}`);
      assert.ok(!allowed.includes(method));
    }
  }
  for (const path of [
    '/api',
    '/api/',
    '/api/v1',
    '/api/v2/account',
    '/api/v1/account/nothing',
    '/api/v1/account/sessions/a/b',
  ]) {
    if (path !== '/api') assertRefused(await api(`GET ${path}`), 'not_found');
  }
});

function revoke(app: TestApp, client: { client_id: string; client_secret: string }, value: string) {
  const authorization = `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')}`;
  return fetch(`${app.url}/oauth2/revoke`, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams({ token: value }),
  });
}
