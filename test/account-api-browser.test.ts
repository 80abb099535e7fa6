/** Browsers at the account API: cookies and what guards them, other origins, methods and paths that are not there. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { OPERATIONS } from '../src/api/operations.ts';
import { apiUser, assertRefused, CALLS, createApi, operationFor } from './support/account-api.ts';
import { startApp } from './support/app.ts';
import { CALLBACK } from './support/flow.ts';
import { createVisitor, formsOf } from './support/visitor.ts';

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
