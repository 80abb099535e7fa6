/** Form tokens and signed cookies: what a stranger can neither send nor forge. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type TestContext, test } from 'node:test';
import Keygrip from 'keygrip';
import { AppError } from '../src/errors.ts';
import { createCookieKeys, signedCookie } from '../src/http/cookies.ts';
import { createCsrf } from '../src/http/csrf.ts';
import { serveKoa } from './support/serve.ts';

const issuer = new URL('https://id.example.test');

function forms() {
  const csrf = createCsrf({ key: randomBytes(32), issuer });
  const accepts = (token: unknown, headers: IncomingMessage['headers'] = {}, binding = 'session-1') => {
    try {
      csrf.check({ req: { headers } as IncomingMessage }, binding, token as string);
      return true;
    } catch (error) {
      assert.ok(error instanceof AppError && error.code === 'csrf' && error.status === 403);
      return error.message;
    }
  };
  return { csrf, accepts };
}

test('a form token is accepted for its own session only, and is different each time', () => {
  const { csrf, accepts } = forms();
  const token = csrf.token('session-1');
  assert.equal(accepts(token), true);
  assert.equal(accepts(csrf.token('session-1')), true);
  assert.notEqual(csrf.token('session-1'), token);
  assert.match(String(accepts(token, {}, 'session-2')), /another sign-in.*Open the page again/);
  assert.notEqual(forms().accepts(token), true, 'a token of another key');
});

test('no change of a token is accepted, and nothing that is no token is an accident', () => {
  const { csrf, accepts } = forms();
  const token = csrf.token('session-1');
  for (let at = 0; at < token.length; at += 1) {
    for (const other of ['A', 'B', '_']) {
      if (token[at] !== other)
        assert.notEqual(accepts(token.slice(0, at) + other + token.slice(at + 1)), true, `at ${at}`);
    }
  }
  const junk = [
    undefined,
    '',
    '.',
    token.slice(0, -1),
    `${token}=`,
    `${token} `,
    `${token}\n`,
    token.replace('.', ''),
    7,
    [token],
  ];
  for (const each of [...junk, 'é'.repeat(66), 'x'.repeat(100_000)]) assert.notEqual(accepts(each), true);
});

test('a form from elsewhere is refused although its token is right', () => {
  const { csrf, accepts } = forms();
  const token = csrf.token('session-1');
  const foreign: IncomingMessage['headers'][] = [
    { origin: 'https://evil.example' },
    { origin: 'http://id.example.test' },
    { origin: 'https://id.example.test:444' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'null', 'sec-fetch-site': 'cross-site' },
    { origin: 'https://id.example.test', 'sec-fetch-site': 'cross-site' },
  ];
  for (const headers of foreign) {
    assert.match(
      String(accepts(token, headers)),
      /sent from .*https:\/\/id\.example\.test only/,
      JSON.stringify(headers),
    );
  }
  const own: IncomingMessage['headers'][] = [
    { origin: 'https://id.example.test', 'sec-fetch-site': 'same-origin' },
    { origin: 'null', 'sec-fetch-site': 'same-origin' },
    { origin: 'null' },
    { 'sec-fetch-site': 'none' },
  ];
  for (const headers of own) assert.equal(accepts(token, headers), true, JSON.stringify(headers));
  assert.notEqual(accepts(undefined, own[0]), true, 'the right origin does not replace the token');
});

const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];

test('cookie keys sign like keygrip does with SHA-256, so that either may follow the other', () => {
  const ours = createCookieKeys([newKey, oldKey]);
  const theirs = new Keygrip([newKey, oldKey] as never, 'sha256');
  for (const data of ['name=value', '', 'é=ü']) {
    assert.equal(ours.sign(data), theirs.sign(data));
    assert.equal(ours.verify(data, theirs.sign(data)), true);
  }
  const older = createCookieKeys([oldKey]).sign('a=b');
  assert.deepEqual(
    [ours.index('a=b', ours.sign('a=b')), ours.index('a=b', older), ours.index('a=c', older)],
    [0, 1, -1],
  );
  for (const digest of ['', older.slice(1), `${older}A`, 'é'.repeat(43)])
    assert.equal(ours.verify('a=b', digest), false);
});

test('a signed cookie is read from the header by its whole name, and only with its own signature', () => {
  const keys = createCookieKeys([newKey]);
  const read = (header: string) => signedCookie(header, 'flow_a.b', keys);
  const signature = `flow_a.b.sig=${keys.sign('flow_a.b=ann')}`;
  for (const header of [
    `flow_a.b=ann; ${signature}`,
    `${signature};x=y;   flow_a.b=ann`,
    `flow_a.b=ann; ${signature}; flow_a.b=bob`,
  ])
    assert.equal(read(header), 'ann', header);
  for (const header of [
    '',
    'flow_a.b=ann',
    signature,
    `flow_a.b=; ${signature}`,
    `flow_a.b=bob; ${signature}`,
    `flow_a.b=bob; ${signature}; flow_a.b=ann`,
    `flow_axb=ann; ${signature}`,
    `xflow_a.b=ann; ${signature}`,
    `flow_a.b=ann; flow_a.b.sig=${keys.sign('flow_axb=ann')}`,
  ])
    assert.equal(read(header), undefined, header);
});

test('weak or missing cookie keys stop the start', () => {
  assert.throws(() => createCookieKeys([]), /at least one key/);
  assert.throws(() => createCookieKeys([newKey, randomBytes(31)]), /32 bytes/);
  assert.throws(() => createCsrf({ key: randomBytes(8), issuer }), /32 bytes/);
});

async function cookieJar(t: TestContext, keys: Buffer[]) {
  const { origin } = await serveKoa(
    t,
    [
      (ctx) => {
        if (ctx.path === '/set') ctx.cookies.set('who', 'ann', { signed: true });
        ctx.body = ctx.cookies.get('who', { signed: true }) ?? 'nobody';
      },
    ],
    { keys: createCookieKeys(keys) },
  );
  return async (path: string, cookie = '') => {
    const response = await fetch(origin + path, { headers: { cookie } });
    return {
      who: await response.text(),
      set: response.headers
        .getSetCookie()
        .map((line) => line.split(';')[0])
        .join('; '),
    };
  };
}

test('koa signs and verifies with them: forged cookies are nobody’s, old keys are signed over', async (t) => {
  const before = await cookieJar(t, [oldKey]);
  const after = await cookieJar(t, [newKey, oldKey]);
  const { set } = await before('/set');
  assert.match(set, /^who=ann; who\.sig=[\w-]{43}$/);
  assert.equal((await before('/', set)).who, 'ann');
  assert.equal((await before('/', set.replace('ann', 'eve'))).who, 'nobody');
  assert.equal((await before('/', 'who=ann')).who, 'nobody');
  const renewed = await after('/', set);
  assert.equal(renewed.who, 'ann');
  assert.match(renewed.set, /^who\.sig=/, 'a signature of the old key is replaced');
  assert.equal((await after('/', `who=ann; ${renewed.set}`)).set, '');
});
