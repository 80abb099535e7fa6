/** Methods that an address does not have, addresses that are none, and clients that nobody registered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStage, type Door } from './support/doors.ts';
import { authorizationRequest } from './support/flow.ts';
import {
  assertQuiet,
  assertRefusal,
  assertSafe,
  encoded,
  pairsOf,
  rawPairs,
  send,
  through,
} from './support/spoiled.ts';

const wellFormed = (door: Door) =>
  door.place === 'json' ? JSON.stringify(door.params) : rawPairs(encoded(pairsOf(door)));

test('methods and addresses', async (t) => {
  const stage = await createStage(t);
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

  await t.test('X02: a method that an address does not have is 405 with those it has', async () => {
    const paths = [...new Set(stage.doors.map(({ path }) => path))];
    for (const path of [...paths, '/openapi.json', '/.well-known/webfinger']) {
      const { format } = stage.doors.find((door) => door.path === path) ?? { format: 'page' as const };
      const allowed = new Set<string>();
      for (const method of methods) {
        const headers = format === 'page' ? { accept: 'text/html' } : {};
        const answer = await send(stage, { method, path, headers });
        assertSafe(stage, answer, `${method} ${path}`);
        if (method === 'HEAD') assert.equal(answer.text, '', path);
        if (answer.status !== 405) {
          allowed.add(method);
          continue;
        }
        if (method !== 'HEAD' && path !== '/openapi.json')
          assertRefusal(stage, { format }, answer, `${method} ${path}`);
        const offered = String(answer.headers.allow).split(', ');
        assert.ok(offered.length > 0 && !offered.includes(method), `${method} ${path}: ${answer.headers.allow}`);
      }
      assert.ok(allowed.size < methods.length, `${path} takes any method`);
    }
    for (const method of ['TRACE', 'PROPFIND']) {
      const answer = await send(stage, { method, path: '/account' });
      assert.equal(answer.status, 405);
    }
  });

  await t.test('a slash too many, other case and encoded letters lead to the same answer or to none', async () => {
    for (const door of stage.doors) {
      for (const path of [`${door.path}/`, door.path.replace('a', '%61'), `/${door.path}`, `${door.path}/..%2f`]) {
        assertSafe(stage, await through(stage, { ...door, path }, wellFormed(door)), `${door.name} at ${path}`);
      }
    }
  });

  await t.test('nothing outside of /assets is read by way of it', async () => {
    const ways = [
      '../error.ejs',
      '..%2ferror.ejs',
      '%2e%2e/%2e%2e/package.json',
      '..%5cerror.ejs',
      '....//package.json',
    ];
    for (const way of [
      ...ways,
      '..%252f..%252fpackage.json',
      '/etc/passwd',
      '',
      '.',
      '%00',
      'style.css%00.png',
      '~root',
    ]) {
      const answer = await send(stage, { path: `/assets/${way}` });
      assertSafe(stage, answer, way);
      assert.ok([400, 404].includes(answer.status), `${way}: ${answer.status}`);
      assert.ok(!/"dependencies"|root:|include\(/.test(answer.text), way);
    }
  });

  await t.test('an address with nothing behind it is 404 in the format of its caller', async () => {
    const json = { accept: 'application/json' };
    for (const path of ['/nothing', '/oauth2/nothing', '/.well-known/nothing', '/api/v1/nothing', '/login/a/b/c']) {
      const page = await send(stage, { path, headers: { accept: 'text/html' } });
      assert.equal(page.status, 404, path);
      const problem = await send(stage, { path, headers: json });
      assert.match(assertRefusal(stage, { format: 'problem' }, problem, path), /nothing at/i, path);
    }
    for (const path of ['/oauth2/token/more', '/oauth2/register', '/oauth2/bc-authorize', '/oauth2/logout/none']) {
      const answer = await send(stage, { method: 'POST', path, headers: json });
      assert.equal(answer.status, 404, path);
      assertRefusal(stage, { format: 'oauth' }, answer, path);
    }
  });

  await t.test('ids in the path that are long, odd or of another make are not found', async () => {
    const bearer = { authorization: `Bearer ${stage.tokens.access_token}` };
    const ids = [
      'a'.repeat(5000),
      '__proto__',
      'constructor',
      '%2e%2e',
      '%F0%9F%94%91',
      "'%20OR%201=1--",
      '%0d%0aX:1',
      '-1',
    ];
    for (const id of ids) {
      for (const path of [`/login/${id}`, `/register/${id}`, `/verify/${id}`, `/reset/${id}`, `/consent/${id}`]) {
        const answer = await send(stage, { path, headers: { accept: 'text/html', cookie: stage.cookies.underWay } });
        assertRefusal(stage, { format: 'page' }, answer, path);
      }
      for (const path of [`/invitation/${id}`, `/oauth2/authorize/${id}`, `/device/${id}`, `/dev/mail/${id}`]) {
        const answer = await send(stage, { path, headers: { accept: 'text/html', cookie: stage.cookies.signedIn } });
        assertRefusal(stage, { format: 'page' }, answer, path);
      }
      for (const path of [`/api/v1/account/sessions/${id}`, `/api/v1/account/apps/${id}`]) {
        const answer = await send(stage, { method: 'DELETE', path, headers: bearer });
        assertRefusal(stage, { format: 'problem' }, answer, path);
        assert.equal(answer.status, 404, path);
      }
    }
    for (const path of ['/login/%FF', '/login/%00', '/api/v1/account/apps/%C3%28', '/invitation/%']) {
      assert.equal((await send(stage, { path, headers: bearer })).status, 400, path);
    }
  });

  await t.test('an unknown client or redirect is an error page, and the browser stays here', async () => {
    const { client, app } = stage;
    const { client_id } = client;
    const evil = ['https://evil.example/', 'javascript:alert(1)', '//evil.example', 'http://127.0.0.1:9/callback/../x'];
    const near = [
      'http://127.0.0.1:9/callback#x',
      'http://127.0.0.1:9/callback?x=1',
      'http://127.0.0.1:9/CALLBACK',
      '',
      'x',
    ];
    const requests = [...evil, ...near].map((redirect_uri) => ({ id: client_id, params: { redirect_uri } }));
    requests.push(...['nobody', '', 'a b', '__proto__'].map((id) => ({ id, params: {} as never })));
    for (const { id, params } of requests) {
      for (const more of [
        {},
        { scope: 'nonsense' },
        { response_type: 'token' },
        { prompt: 'none' },
        { request: 'x' },
      ]) {
        const { url } = authorizationRequest(app, id, { ...params, ...more });
        const answer = await send(stage, { path: url.slice(app.url.length), headers: { accept: 'text/html' } });
        const what = JSON.stringify({ id, params, more });
        assertRefusal(stage, { format: 'page' }, answer, what);
        assert.equal(answer.headers.location, undefined, what);
        assert.ok(!/http-equiv="refresh"|<form/.test(answer.text), what);
      }
    }
  });

  await t.test('what is not registered is not gone to after signing out either', async () => {
    const { client } = stage;
    for (const uri of ['https://evil.example/', 'javascript:alert(1)', 'http://127.0.0.1:9/callback']) {
      const query = new URLSearchParams({ client_id: client.client_id, post_logout_redirect_uri: uri });
      const answer = await send(stage, { path: `/oauth2/logout?${query}`, headers: { accept: 'text/html' } });
      assert.match(assertRefusal(stage, { format: 'page' }, answer, uri), /post_logout_redirect_uri not registered/);
    }
  });

  assertQuiet(stage);
});
