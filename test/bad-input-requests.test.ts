/** Requests that are wrong as a whole: bodies, headers and cookies; and the words that they get. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStage, type Door, type Stage } from './support/doors.ts';
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
