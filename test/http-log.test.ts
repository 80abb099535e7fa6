/** What stands in the log: one line a request, no secret, and no line that a client made up. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createLog } from '../src/http/log.ts';
import { requestLog } from '../src/http/request-log.ts';
import { raw, serveFront } from './support/serve.ts';

const CANARY = 'canary-7f3a9c';

function recording({ pretty = false, level = 'debug' } = {}) {
  const written: string[] = [];
  const log = createLog({ level, pretty, destination: { write: (line) => void written.push(line) } });
  return { log, written, last: () => JSON.parse(written.at(-1) as string) };
}

async function logged(t: TestContext) {
  const { log, written } = recording();
  const observe = requestLog({ log, quietPaths: ['/livez'] });
  const { origin, port } = await serveFront(
    t,
    (req, res) => {
      if (req.url?.startsWith('/hang')) return;
      res.statusCode = req.url?.startsWith('/bug') ? 500 : 200;
      res.end('ok');
    },
    { observe },
  );
  const lines = async (count: number) => {
    for (const end = performance.now() + 10_000; written.length < count && performance.now() < end; )
      await new Promise((done) => setTimeout(done, 5));
    return written.map((line) => JSON.parse(line));
  };
  return { origin, port, lines, written };
}

test('a finished request is one line: method, path, status, time, id and address, and no query', async (t) => {
  const { origin, lines, written } = await logged(t);
  const response = await fetch(`${origin}/oauth2/authorize?code=${CANARY}&state=${CANARY}`);
  await response.text();
  const [line] = await lines(1);
  const { ms, time, ...rest } = line;
  assert.deepEqual(rest, {
    level: 'info',
    method: 'GET',
    path: '/oauth2/authorize',
    status: 200,
    request_id: response.headers.get('x-request-id'),
    address: '127.0.0.1',
    msg: 'request',
  });
  assert.ok(ms >= 0 && ms < 5000);
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'UTC');
  assert.doesNotMatch(written.join(''), new RegExp(CANARY));
});

test('whatever stands in a path, the line is the JSON of it', async (t) => {
  const { port, lines } = await logged(t);
  const paths = ['/a"b', '/a\\b', '/a"\\u0041', "/it's", '/token=secret', '/%22%5c'];
  for (const path of paths)
    await raw(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
  const found = (await lines(paths.length)).map(({ path }) => path);
  assert.deepEqual(found, paths.with(4, '/token=[redacted]'));
});

test('refused, failed, quiet and broken-off requests are logged as what they are', async (t) => {
  const { origin, port, lines } = await logged(t);
  await raw(port, 'GET /x HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  await fetch(`${origin}/bug`);
  await fetch(`${origin}/livez`);
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET /hang HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  await new Promise((done) => setTimeout(done, 50));
  socket.destroy();
  const found = (await lines(4)).map(({ level, path, status, aborted }) => [level, path, status, aborted]);
  assert.deepEqual(found, [
    ['info', '/x', 421, undefined],
    ['warn', '/bug', 500, undefined],
    ['debug', '/livez', 200, undefined],
    ['info', '/hang', 200, true],
  ]);
});

test('identifiers in a path are shortened, and so is the path', async (t) => {
  const { origin, lines } = await logged(t);
  await fetch(`${origin}/invitation/${'a1B2c3D4e5_-'.repeat(4)}`);
  await fetch(`${origin}/login/V1StGXR8_Z5jdHi6B-myT/consent`);
  await fetch(`${origin}/${'x/'.repeat(500)}`);
  await fetch(`${origin}/.well-known/openid-configuration`);
  const [invitation, login, long, discovery] = await lines(4);
  assert.equal(discovery.path, '/.well-known/openid-configuration');
  assert.equal(invitation.path, '/invitation/a1B2c3…');
  assert.equal(login.path, '/login/V1StGX…/consent');
  assert.equal(long.path.length, 201);
});

test('secrets are redacted under every name that they have here, at any depth', () => {
  const { log, last } = recording();
  const names = [
    ...[
      'authorization',
      'Authorization',
      'cookie',
      'set-cookie',
      'password',
      'current_password',
      'newPassword',
      'code',
    ],
    ...['token', 'access_token', 'refresh_token', 'id_token', 'idToken', 'id_token_hint', 'secret', 'client_secret'],
    ...['clientSecret', 'code_verifier', 'client_assertion', 'DPoP', 'device_code', 'user_code', 'csrf', 'private_key'],
  ];
  for (const name of names) {
    log.info({ [name]: CANARY, a: { b: [{ [name]: CANARY }] } }, 'x');
    const line = last();
    assert.equal(line[name], '[redacted]', name);
    assert.equal(line.a.b[0][name], '[redacted]', name);
    log.child({ [name]: CANARY }).info('x');
    assert.equal(last()[name], '[redacted]', name);
  }
  log.info({ error_code: 'ECONNREFUSED', status_code: 3, scope: 'openid', token_type: 'Bearer' }, 'x');
  assert.deepEqual([last().error_code, last().scope, last().token_type], ['ECONNREFUSED', 'openid', 'Bearer']);
});

test('secrets in free text are masked: bearer credentials and the parameters of addresses', () => {
  const { log, written } = recording();
  log.info(`sent Authorization: Bearer ${CANARY}`);
  log.info({ url: `https://x.test/cb?code=${CANARY}&state=1` }, 'x');
  log.info('redirect to %s', `/?access_token=${CANARY}`);
  log.error(new Error(`failed: client_secret=${CANARY}&a=b`), `password=${CANARY}`);
  log.error({ err: new Error('outer', { cause: new Error(`dpop ${CANARY}`) }) }, 'x');
  assert.equal(written.length, 5);
  assert.doesNotMatch(written.join(''), new RegExp(CANARY));
  assert.match(written[1] as string, /state=1/);
});

test('an error is logged with its cause and code, and without the rows and options that drivers attach', () => {
  const { log, last } = recording();
  const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', config: { password: CANARY } });
  log.error({ err: Object.assign(new TypeError('no database', { cause }), { detail: CANARY }) }, 'x');
  const { err } = last();
  assert.deepEqual(
    [err.type, err.message, err.cause.message, err.cause.error_code],
    ['TypeError', 'no database', 'refused', 'ECONNREFUSED'],
  );
  assert.match(err.stack, /http-log\.test\.ts/);
  assert.doesNotMatch(JSON.stringify(err), new RegExp(CANARY));
  log.error({ err: 'no error at all' }, 'x');
  assert.equal(last().err.message, 'no error at all');
});

test('control characters forge no line, neither in JSON nor on a terminal', () => {
  const evil = 'a\nINFO: forged\r\u2028x\u0085\u001b[2K\u009b2K\u202eb';
  for (const pretty of [false, true]) {
    const { log, written } = recording({ pretty });
    log.info({ path: evil, [evil]: 1, nested: { list: [evil] } }, evil);
    log.info('said %s', evil);
    log.child({ name: evil }).info('x');
    log.error({ err: new Error(evil) }, 'x');
    assert.equal(written.length, 4);
    const lines = written.join('').split(/[\n\r\u2028\u2029\u0085]/);
    assert.deepEqual(
      lines.filter((line) => /^\s*INFO: forged/.test(line)),
      [],
      `pretty ${pretty}`,
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    assert.doesNotMatch(written.join(''), /[\u001b\u009b\u202e\u2028\u0085\r]/);
    assert.match(written[0] as string, /u000a/);
  }
});

test('the level decides what is written', () => {
  const { log, written } = recording({ level: 'warn' });
  log.info('no');
  log.warn('yes');
  assert.equal(written.length, 1);
});
