/** Values with an inside: tokens, proofs and JSON that are well-formed text, and nothing that can be meant. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStage, type Door } from './support/doors.ts';
import { authorizationRequest, FIREFOX, token } from './support/flow.ts';
import {
  assertQuiet,
  assertRefusal,
  assertSafe,
  encoded,
  FORM,
  type Pair,
  pairsOf,
  rawPairs,
  send,
  through,
} from './support/spoiled.ts';
import { createVisitor } from './support/visitor.ts';

const part = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Headers and payloads of every make, put together as a JWS would be, signed by nobody. */
function forged(clientId: string, issuer: string): string[] {
  const now = Math.floor(Date.now() / 1000);
  const good = {
    iss: clientId,
    sub: clientId,
    aud: issuer,
    jti: 'x',
    iat: now,
    exp: now + 60,
    htm: 'POST',
    htu: issuer,
  };
  const odd = [{}, [], 5, true, null, '', { a: {} }, ['a', {}], 1e300, '__proto__', 'a'.repeat(2000)];
  const payloads: unknown[] = ['', '{', 'null', '[]', '5', '"text"', good];
  for (const name of ['iss', 'sub', 'aud', 'jti', 'iat', 'exp', 'htm', 'ath']) {
    payloads.push(...odd.map((value) => ({ ...good, [name]: value })));
  }
  const jwks = [null, 5, 'x', [], {}, { kty: 'RSA' }, { kty: 'EC', crv: 'P-256', x: 5, y: {} }, { kty: 'oct', k: 'x' }];
  const headers: unknown[] = ['', '{', 'null', '[]', { alg: 'none' }, { alg: 'HS256' }, { alg: 5 }, { alg: {} }];
  headers.push({ alg: 'RS256', kid: {} }, { alg: 'ES256', crit: ['x'] }, { alg: 'ES256', b64: false, crit: 'b64' });
  headers.push(...jwks.map((jwk) => ({ alg: 'ES256', typ: 'dpop+jwt', jwk })));
  const usual = { alg: 'RS256', typ: 'JWT', kid: 'x' };
  return [
    ...payloads.map((payload) => `${part(usual)}.${part(payload)}.${part('signature')}`),
    ...headers.map((header) => `${part(header)}.${part(good)}.${part('signature')}`),
    ...['.', '..', '...', 'a.b.c.d.e', 'a..c', `${part(usual)}.${part(good)}`, `${part(usual)}.${part(good)}.`],
  ];
}

test('tokens and proofs', async (t) => {
  const stage = await createStage(t);
  const { app, client } = stage;
  const tokens = forged(client.client_id, app.url);
  const doorOf = (name: string) => stage.doors.find((door) => door.name === name) as Door;
  const withParam = (door: Door, changes: Record<string, string | undefined>): string => {
    const kept = pairsOf(door).filter(([name]) => !(name in changes));
    const added = Object.entries(changes).filter((pair): pair is Pair => pair[1] !== undefined);
    return rawPairs(encoded([...kept, ...added]));
  };

  await t.test('a client assertion that is none is refused', async () => {
    for (const name of ['token client_credentials', 'introspect', 'revoke', 'par', 'device_authorization']) {
      const door = doorOf(name);
      for (const [index, client_assertion] of tokens.entries()) {
        const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
        const id = index % 2 === 0 ? { client_id: undefined } : {};
        const text = withParam(door, { client_assertion, client_assertion_type, client_secret: undefined, ...id });
        assertRefusal(stage, door, await through(stage, door, text), `${name} with ${client_assertion}`);
      }
    }
  });

  await t.test('a hint that is no ID token of ours is refused, and nobody is signed out by it', async () => {
    const page = doorOf('logout');
    for (const id_token_hint of tokens) {
      for (const id of [{}, { client_id: undefined }]) {
        const answer = await through(stage, page, withParam(page, { id_token_hint, ...id }));
        assertRefusal(stage, page, answer, `logout with ${id_token_hint}`);
      }
      const authorize = doorOf('authorize');
      const answer = await through(stage, authorize, withParam(authorize, { id_token_hint }));
      assertSafe(stage, answer, `authorize with ${id_token_hint}`);
      assert.match(String(answer.headers.location), /error=/);
    }
  });

  await t.test('a request object is refused by name: they are not offered', async () => {
    for (const name of ['par', 'device_authorization']) {
      const door = doorOf(name);
      const answer = await through(stage, door, withParam(door, { request: tokens[0] }));
      assert.match(assertRefusal(stage, door, answer, name), /request/);
    }
  });

  await t.test('a DPoP proof that is none is refused', async () => {
    for (const name of ['token client_credentials', 'token refresh_token', 'par', 'userinfo']) {
      const door = doorOf(name);
      const scheme = name === 'userinfo' ? { authorization: `DPoP ${stage.tokens.access_token}` } : {};
      for (const dpop of tokens) {
        const answer = await through(stage, door, withParam(door, {}), { dpop, ...scheme });
        assertRefusal(stage, door, answer, `${name} with the proof ${dpop}`);
      }
    }
  });

  await t.test('a token that is none opens nothing, and is no error where that is the answer', async () => {
    for (const value of tokens) {
      for (const [name, param] of [
        ['token refresh_token', 'refresh_token'],
        ['token authorization_code', 'code'],
        ['userinfo by POST', 'access_token'],
      ] as const) {
        const door = doorOf(name);
        assertRefusal(
          stage,
          door,
          await through(stage, door, withParam(door, { [param]: value })),
          `${name}: ${value}`,
        );
      }
      for (const name of ['introspect', 'revoke']) {
        const door = doorOf(name);
        assertSafe(stage, await through(stage, door, withParam(door, { token: value })), `${name}: ${value}`);
      }
      const authorization = `Bearer ${value}`;
      const api = await send(stage, { path: '/api/v1/account', headers: { authorization } });
      assert.equal(api.status, 401, value);
    }
  });

  await t.test('claims are JSON of the right shape, or refused', async () => {
    const odd = [
      '5',
      '"x"',
      '[]',
      'null',
      '{}',
      '{"userinfo":5}',
      '{"userinfo":[]}',
      '{"id_token":"x"}',
      `${'['.repeat(2000)}`,
    ];
    odd.push('{"userinfo":null}', '{"id_token":{"sub":{"value":5}}}', '{"id_token":{"acr":{"values":5}}}');
    odd.push('{"userinfo":{"__proto__":{"x":1}}}', '{"__proto__":{"x":1},"id_token":{"email":{"essential":"x"}}}');
    odd.push(
      '{"id_token":{"auth_time":5}}',
      '{"id_token":{"sub":{"value":{}}}}',
      '{"id_token":{"sub":{"values":"x"}}}',
    );
    for (const claims of odd) {
      const { url } = authorizationRequest(app, client.client_id, { claims });
      const answers = [
        await send(stage, { path: url.slice(app.url.length), headers: { cookie: stage.cookies.signedIn } }),
        await through(stage, doorOf('par'), withParam(doorOf('par'), { claims })),
        await through(stage, doorOf('device_authorization'), withParam(doorOf('device_authorization'), { claims })),
      ];
      for (const answer of answers) assertSafe(stage, answer, claims);
    }
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
  });

  await t.test('a pushed request with odd values is shown, answered and redeemed without a fault', async () => {
    const odd: Record<string, string>[] = [
      { ui_locales: 'x '.repeat(500) },
      { ui_locales: '*-- en_US;q=9 __proto__' },
      { login_hint: '<script>alert(1)</script>"\'' },
      { acr_values: '__proto__ constructor' },
      { nonce: '🔑'.repeat(500) },
      { state: '&state=x#"\'<>' },
      { max_age: '9007199254740991' },
      { display: 'hologram' },
      { claims: '{"id_token":{"acr":{"essential":true}}}' },
    ];
    for (const params of odd) {
      const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
      const what = JSON.stringify(params);
      const page = await visitor.open(authorizationRequest(app, client.client_id, params).url);
      assert.ok(page.status === 200 || /error=/.test(page.url), `${what}: ${page.status} ${page.url}`);
      assert.ok(!page.html.includes('<script>alert'), what);
      if (page.status !== 200) continue;
      const { email, password } = stage.person;
      const { submit } = visitor;
      const back = await submit(page, { email, password }, '^/login/[^/]+$');
      const answer = new URL(back.url).searchParams;
      if (params['state']) assert.equal(answer.get('state'), params['state']);
      assert.ok(answer.get('code') ?? answer.get('error'), `${what}: ${back.url}`);
    }
    const spent = await token(app, client, { grant_type: 'authorization_code', code: 'x', redirect_uri: 'x' });
    assert.equal(spent.status, 400);
  });

  await t.test('X10: no text takes long to be refused', async () => {
    const long = 14_000;
    const texts = ['a', 'a@', 'a.', '-', ' ', '0', 'a,', '%', '((', 'Mozilla/5.0 (', 'en-', '/', '=', '\t '];
    for (const text of texts) {
      const full = text.repeat(long / text.length);
      const at = encodeURIComponent(full).slice(0, long);
      const requests = [
        { path: `/.well-known/webfinger?resource=acct:${at}` },
        { path: `/login/${stage.flow}`, headers: { 'accept-language': full, cookie: stage.cookies.underWay } },
        { path: '/account', headers: { 'user-agent': full, cookie: stage.cookies.signedIn } },
        { path: '/account', headers: { cookie: full } },
        { path: '/api/v1/account', headers: { authorization: `Bearer ${full}` } },
        { path: '/oauth2/userinfo', headers: { authorization: `${full} ${full.slice(0, 500)}` } },
        { path: '/account', headers: { 'x-forwarded-for': full, accept: full.slice(0, 1000) } },
        { path: '/oauth2/token', headers: { origin: full } },
        {
          method: 'POST',
          path: '/oauth2/token',
          headers: { 'content-type': FORM },
          body: full.repeat(4).slice(0, 50_000),
        },
        { method: 'POST', path: `/login/${stage.flow}`, headers: { 'content-type': FORM }, body: full.repeat(4) },
      ];
      for (const request of requests) {
        const times: number[] = [];
        for (let tries = 0; tries < 8 && (times.at(-1) ?? 1000) > 100; tries += 1) {
          const started = performance.now();
          assertSafe(stage, await send(stage, request), request.path.slice(0, 60));
          times.push(performance.now() - started);
        }
        assert.ok(Math.min(...times) < 100, `${request.path.slice(0, 60)} with ${text}: ${times}`);
      }
    }
  });

  assertQuiet(stage);
});
