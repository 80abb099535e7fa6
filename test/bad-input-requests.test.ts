/** Requests that are wrong as a whole: bodies, headers, cookies, methods and addresses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStage, type Door, type Stage } from './support/doors.ts';
import { authorizationRequest } from './support/flow.ts';
import {
  assertQuiet,
  assertRefusal,
  assertSafe,
  encoded,
  FORM,
  pairsOf,
  rawPairs,
  send,
  through,
} from './support/spoiled.ts';

const formText = (door: Door) => rawPairs(encoded(pairsOf(door)));
const wellFormed = (door: Door) => (door.place === 'json' ? JSON.stringify(door.params) : formText(door));
const withBody = (stage: Stage) => stage.doors.filter(({ place }) => place !== 'query');

test('bodies', async (t) => {
  const stage = await createStage(t);

  await t.test('over 64 KiB are refused, announced or not', async () => {
    for (const door of withBody(stage)) {
      const padding = 'a'.repeat(66_000);
      const text = door.place === 'json' ? JSON.stringify({ name: padding }) : `${formText(door)}&padding=${padding}`;
      const announced = await through(stage, door, text);
      assert.match(assertRefusal(stage, door, announced, door.name), /longer than \d+ bytes/, door.name);
      assert.equal(announced.status, 413, door.name);
      const chunked = await through(stage, door, text, { 'transfer-encoding': 'chunked' });
      assert.equal(chunked.status, 413, `${door.name}, in chunks`);
    }
  });

  await t.test('in chunks, with a charset in capitals, or none where none is needed, are taken', async () => {
    for (const door of withBody(stage).filter(({ name }) => /^(token client|introspect|par|PATCH)/.test(name))) {
      const type = `${door.place === 'json' ? 'application/json' : FORM};CHARSET="UTF-8"`;
      const headers = { 'transfer-encoding': 'chunked', 'content-type': type };
      assert.equal((await through(stage, door, wellFormed(door), headers)).status, door.status, door.name);
    }
    const headers = { authorization: `Bearer ${stage.tokens.access_token}` };
    for (const type of [{}, { 'content-type': FORM }]) {
      const sent = { method: 'POST', path: '/oauth2/userinfo', headers: { ...headers, ...type } };
      assert.equal((await send(stage, sent)).status, 200);
    }
  });

  await t.test('of another type, charset or coding are refused with the type that is wanted', async () => {
    for (const door of withBody(stage)) {
      const own = door.place === 'json' ? 'application/json' : FORM;
      const others = ['multipart/form-data; boundary=x', 'text/plain', 'nonsense', `${own}; charset=utf-16le`];
      others.push(own === FORM ? 'application/json' : FORM, `${own}; charset=utf-99`);
      for (const type of others) {
        const answer = await through(stage, door, wellFormed(door), { 'content-type': type });
        const words = assertRefusal(stage, door, answer, `${door.name} as ${type}`);
        assert.equal(answer.status, 415, `${door.name} as ${type}`);
        assert.match(words, /Send the body/);
      }
      const coded = await through(stage, door, wellFormed(door), { 'content-encoding': 'gzip' });
      assert.equal(coded.status, 415, door.name);
      assertRefusal(stage, door, coded, door.name);
      const { method, path, headers } = door;
      const untyped = await send(stage, { method, path, headers, body: wellFormed(door) });
      assert.equal(untyped.status, 415, `${door.name} without a type`);
    }
  });

  await t.test('that are no text, no form or no JSON are refused', async () => {
    for (const door of withBody(stage)) {
      const type = door.place === 'json' ? 'application/json' : FORM;
      const { method, path } = door;
      const headers = { ...door.headers, 'content-type': type };
      const bytes = Buffer.concat([Buffer.from(`${wellFormed(door)}&x=`), Buffer.from([0xff, 0xfe, 0x00])]);
      const multipart = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n';
      const bodies = door.place === 'json' ? [bytes, multipart, '', '{', '{"a":', "{'a':1}", '\u0000', 'NaN'] : [bytes];
      for (const body of bodies) {
        const what = `${door.name} with ${body}`;
        const answer = await send(stage, { method, path, headers, body });
        assertRefusal(stage, door, answer, what);
        assert.equal(answer.status, 400, what);
      }
      if (door.required.length === 0 || door.place === 'json') continue;
      for (const body of ['', '&&&', '=', '{"a":1}', multipart]) {
        assertRefusal(stage, door, await send(stage, { method, path, headers, body }), `${door.name} with ${body}`);
      }
    }
  });

  await t.test('of JSON with members of another type, doubled or unknown name each of them', async () => {
    const deep = `{"name":${'['.repeat(5000)}${']'.repeat(5000)}}`;
    for (const door of stage.doors.filter(({ place }) => place === 'json')) {
      for (const name of Object.keys(door.params)) {
        const { [name]: _gone, ...rest } = door.params;
        for (const value of [
          1,
          true,
          [],
          {},
          [['a']],
          { a: 'b' },
          'a\u0000b',
          'a\u001b[2Jb',
          'a'.repeat(5000),
          1e308,
        ]) {
          const controls = typeof value === 'string' && value.includes('\u001b');
          if (name.endsWith('password') && controls) continue;
          const answer = await through(stage, door, JSON.stringify({ ...rest, [name]: value }));
          const what = `${door.name} with ${name}: ${JSON.stringify(value).slice(0, 50)}`;
          assert.ok(assertRefusal(stage, door, answer, what).includes(name), what);
        }
        const twice = JSON.stringify(door.params).replace('{', `{${JSON.stringify(name)}:"x",`);
        assert.match(assertRefusal(stage, door, await through(stage, door, twice), name), /doubled/);
      }
      for (const text of ['null', '[]', '"text"', '1', deep, '{"__proto__":{"x":1}}', '{"constructor":{"x":1}}']) {
        assertRefusal(stage, door, await through(stage, door, text), `${door.name} with ${text.slice(0, 40)}`);
      }
    }
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
  });

  assertQuiet(stage);
});

test('headers and cookies', async (t) => {
  const stage = await createStage(t);

  await t.test('an Authorization header that is none is refused where one is read, and nowhere a bug', async () => {
    const basic = (text: string) => `Basic ${Buffer.from(text, 'latin1').toString('base64')}`;
    const headers = [
      'Basic',
      'Basic %%%',
      'Basic =',
      basic('nocolon'),
      basic('%ff:%zz'),
      basic('\xff:\xfe'),
      basic(':'),
    ];
    headers.push('Bearer', 'Bearer a b', 'Bearer \t', 'DPoP x', 'Digest x', ':', 'a'.repeat(8000), basic('a\0b:c'));
    for (const door of stage.doors) {
      for (const authorization of headers) {
        const { client_id: _id, client_secret: _secret, access_token: _token, ...rest } = door.params;
        const other = door.format === 'page' ? door.params : rest;
        const text = door.place === 'json' ? JSON.stringify(other) : rawPairs(encoded(Object.entries(other)));
        const answer = await through(stage, door, text, { authorization });
        const what = `${door.name} with ${authorization.slice(0, 40)}`;
        assertSafe(stage, answer, what);
        const reads =
          door.path.startsWith('/api/') || /^(token|introspect|revoke|par|device_auth|userinfo)/.test(door.name);
        if (reads) assertRefusal(stage, door, answer, what);
      }
    }
  });

  await t.test('a cookie that was tampered with is no cookie', async () => {
    const pairs = stage.cookies.signedIn.split('; ');
    const spoiled = pairs.map((pair) => (pair.includes('.sig=') ? `${pair.slice(0, -2)}xx` : pair)).join('; ');
    const swapped = pairs.map((pair) => (pair.includes('.sig=') ? pair : `${pair}x`)).join('; ');
    const nonsense = '=; %=%; __proto__=1; latchkey_session; latchkey_session=%00%ff; a=b=c; ;;; "="';
    const flow = `latchkey_flow_${stage.flow.slice(0, 10)}=${stage.flow}`;
    for (const cookie of [spoiled, swapped, nonsense, flow, `${'a=b; '.repeat(500)}`]) {
      const account = await send(stage, { path: '/account', headers: { cookie } });
      assert.equal(account.status, 303, cookie.slice(0, 60));
      assert.match(String(account.headers.location), /\/oauth2\/authorize\?/);
      const login = await send(stage, { path: `/login/${stage.flow}`, headers: { cookie } });
      assert.equal(login.status, 410, cookie.slice(0, 60));
      for (const door of stage.doors) {
        assertSafe(
          stage,
          await through(stage, door, wellFormed(door), { cookie }),
          `${door.name} with ${cookie.slice(0, 60)}`,
        );
      }
    }
  });

  await t.test('the form of a device without its cookie says what to do', async () => {
    const answer = await send(stage, {
      method: 'POST',
      path: '/device',
      headers: { accept: 'text/html', 'content-type': FORM },
      body: 'user_code=BCDF-GHJK&xsrf=0',
    });
    assert.equal(answer.status, 400);
    assert.match(answer.text, /cookie/);
    assert.match(answer.text, /href="[^"]*\/device"/);
  });

  await t.test('headers that are too long are answered', async () => {
    const answer = await send(stage, {
      path: '/account',
      headers: { 'x-long': 'a'.repeat(40_000), connection: 'close' },
    });
    assert.equal(answer.status, 431);
    assert.match(answer.text, /too long/);
  });

  await t.test('odd values of ordinary headers change nothing', async () => {
    const odd = {
      accept: '*/*;q=nonsense, %%%',
      'accept-language': '%%, -, en-'.repeat(50),
      'accept-encoding': 'x;q=9',
    };
    const more = { origin: 'null', referer: '%', 'user-agent': '\xff\xfe', dpop: 'no.proof.here', range: 'bytes=9-1' };
    for (const door of stage.doors) {
      const answer = await through(stage, door, wellFormed(door), { ...odd, ...more });
      assertSafe(stage, answer, door.name);
    }
  });

  assertQuiet(stage);
});

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

test('the words of a refusal name the way out, and tell more in development', async (t) => {
  const stage = await createStage(t);
  const { client } = stage;
  const say = async (path: string, params: Record<string, string>, headers = {}) => {
    const body = new URLSearchParams(params).toString();
    const answer = await send(stage, { method: 'POST', path, headers: { 'content-type': FORM, ...headers }, body });
    return { status: answer.status, ...(JSON.parse(answer.text) as { error: string; error_description: string }) };
  };
  const token = (params: Record<string, string>) => say('/oauth2/token', params);
  const own = { client_id: client.client_id, client_secret: client.client_secret };

  const unknown = await token({ ...own, client_id: 'nobody', grant_type: 'client_credentials' });
  assert.deepEqual([unknown.status, unknown.error], [401, 'invalid_client']);
  assert.match(unknown.error_description, /client_id is unknown, .*\(client not found\)/);
  const wrong = await token({ ...own, client_secret: 'wrong', grant_type: 'client_credentials' });
  assert.match(wrong.error_description, /the secret .*\(invalid secret provided\)/);
  const code = await token({
    ...own,
    grant_type: 'authorization_code',
    code: 'x',
    redirect_uri: 'y',
    code_verifier: 'z'.repeat(43),
  });
  assert.equal(code.error, 'invalid_grant');
  assert.match(code.error_description, /expired or used already.*\(authorization code not found\)/);
  assert.match((await token({ grant_type: 'client_credentials' })).error_description, /no client_id was sent/);
  const bearer = await say('/oauth2/userinfo', {}, { authorization: 'Bearer nothing' });
  assert.match(bearer.error_description, /unknown, expired or revoked/);
  assert.ok(
    stage.log.some((line) => line.includes('"detail":"invalid secret provided"')),
    'the log tells the operator',
  );
});
