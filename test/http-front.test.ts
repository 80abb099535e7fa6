/** The front through real sockets: what a client may claim about host, scheme and address, and what comes of it. */
import assert from 'node:assert/strict';
import { get, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { test } from 'node:test';
import { byTurns } from '../src/http/by-turns.ts';
import { clientAddress, createTrust } from '../src/http/client-address.ts';
import { requestContext } from '../src/http/request-context.ts';
import { raw, serveFront, serveKoa } from './support/serve.ts';

function tell(req: IncomingMessage, res: ServerResponse): void {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ url: req.url, headers: req.headers, context: requestContext(req) }));
}

function ask(port: number, path: string, headers: Record<string, string | string[]> = {}, method = 'GET') {
  return new Promise<{ status: number; headers: IncomingMessage['headers']; text: string }>((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path, headers, method, agent: false }, async (res) => {
      let text = '';
      for await (const chunk of res) text += chunk;
      resolve({ status: res.statusCode ?? 0, headers: res.headers, text });
    });
    req.on('error', reject).end();
  });
}

const ISSUER = new URL('http://id.example.test');

test('T3, D8: only the issuer’s own host is served, in any case and with its default port', async (t) => {
  const misdirected: string[] = [];
  const { port } = await serveFront(t, tell, { issuer: ISSUER, onMisdirected: (host) => misdirected.push(host) });
  for (const host of ['id.example.test', 'ID.Example.TEST', 'id.example.test:80']) {
    assert.equal((await ask(port, '/', { host })).status, 200, host);
  }
  const wrong = [
    'evil.example',
    'id.example.test:81',
    'id.example.test.',
    'id.example.test@evil.example',
    'xid.example.test',
    '',
  ];
  for (const host of wrong) {
    const answer = await ask(port, '/login?x=1', { host });
    assert.equal(answer.status, 421, host);
    assert.match(answer.text, /http:\/\/id\.example\.test\/login\?x=1/, 'the right address is named');
    assert.match(answer.headers['content-type'] ?? '', /problem\+json/);
  }
  assert.equal(misdirected.length, wrong.length);
});

test('a browser at the wrong host reads plain words, and an https issuer takes its port 443', async (t) => {
  const { port } = await serveFront(t, tell, { issuer: new URL('https://id.example.test'), trustProxy: ['127.0.0.1'] });
  assert.equal((await ask(port, '/', { host: 'id.example.test:443' })).status, 200);
  assert.equal((await ask(port, '/', { host: 'id.example.test:80' })).status, 421);
  const answer = await ask(port, '/<b>', { host: 'localhost', accept: 'text/html,*/*' });
  assert.match(answer.headers['content-type'] ?? '', /^text\/plain/);
  assert.match(answer.text, /^421 Misdirected Request\n\nThis server answers as https:\/\/id\.example\.test only\./);
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
});

test('health paths answer under any host and without TLS', async (t) => {
  const { port } = await serveFront(t, tell, { issuer: new URL('https://id.example.test') });
  assert.equal((await ask(port, '/livez', { host: '10.1.2.3:3000' })).status, 200);
  assert.equal((await ask(port, '/livez?x', { host: '10.1.2.3:3000' })).status, 200);
  assert.equal((await ask(port, '/livez/x', { host: '10.1.2.3:3000' })).status, 421);
});

test('an https issuer refuses a plain request from a peer that is no trusted proxy, and says which setting is meant', async (t) => {
  const { port } = await serveFront(t, tell, {
    issuer: new URL('https://id.example.test'),
    trustProxy: ['10.0.0.0/8'],
  });
  const answer = await ask(port, '/', { host: 'id.example.test', 'x-forwarded-proto': 'https' });
  assert.equal(answer.status, 400);
  assert.match(answer.text, /from 127\.0\.0\.1.*LATCHKEY_TRUST_PROXY/);
});

test('two Host headers and an absolute target with a foreign host are refused', async (t) => {
  const { port } = await serveFront(t, tell, { issuer: ISSUER });
  const twice = await raw(
    port,
    'GET / HTTP/1.1\r\nHost: id.example.test\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  );
  assert.match(twice.text, /^HTTP\/1\.1 4(00|21) /);
  const foreign = await raw(
    port,
    'GET http://evil.example/ HTTP/1.1\r\nHost: id.example.test\r\nConnection: close\r\n\r\n',
  );
  assert.match(foreign.text, /^HTTP\/1\.1 421 /);
  const own = await raw(
    port,
    'GET http://id.example.test?a=1 HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  );
  assert.match(own.text, /^HTTP\/1\.1 200 /);
  assert.match(own.text, /"url":"\/\?a=1"/);
});

test('behind the front koa and the headers tell only the truth', async (t) => {
  const { port } = await serveKoa(
    t,
    [
      (ctx) => {
        const { host, protocol, ip, ips, origin, href, headers } = ctx;
        ctx.body = { host, protocol, ip, ips, origin, href, headers };
      },
    ],
    { issuer: ISSUER },
  );
  const { text } = await ask(port, '/a?b=c', {
    host: 'ID.EXAMPLE.TEST',
    'X-Forwarded-For': '6.6.6.6',
    'X-Forwarded-Host': 'evil.example',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Port': '443',
    'X-Forwarded-Prefix': '/evil',
    Forwarded: 'for=6.6.6.6;host=evil.example',
    'X-Real-IP': '6.6.6.6',
    Via: '1.1 evil',
    'X-Request-ID': 'mine',
  });
  const seen = JSON.parse(text);
  assert.equal(seen.href, 'http://id.example.test/a?b=c');
  assert.deepEqual(
    [seen.host, seen.protocol, seen.ip, seen.ips],
    ['id.example.test', 'http', '127.0.0.1', ['127.0.0.1']],
  );
  assert.doesNotMatch(text, /6\.6\.6\.6|evil|mine/);
  const proxyHeaders = Object.keys(seen.headers).filter((name) => /forward|via|real-ip/.test(name));
  assert.deepEqual(proxyHeaders.sort(), ['x-forwarded-for', 'x-forwarded-proto']);
});

test('every response carries a request id of our own making', async (t) => {
  const { port } = await serveFront(t, tell);
  const first = await ask(port, '/', { 'x-request-id': 'forged' });
  const second = await ask(port, '/', { host: 'wrong.example' });
  assert.match(String(first.headers['x-request-id']), /^[0-9a-f-]{36}$/);
  assert.equal(JSON.parse(first.text).context.id, first.headers['x-request-id']);
  assert.equal(JSON.parse(second.text).request_id, second.headers['x-request-id']);
  assert.notEqual(first.headers['x-request-id'], second.headers['x-request-id']);
});

test('X04: the address comes from the trusted proxies’ end of X-Forwarded-For', async (t) => {
  const { port } = await serveFront(t, tell, { trustProxy: ['127.0.0.0/8', '10.0.0.0/8'], anyHostPaths: ['/'] });
  const cases: [string | undefined, string][] = [
    [undefined, '127.0.0.1'],
    ['203.0.113.9', '203.0.113.9'],
    ['6.6.6.6, 203.0.113.9', '203.0.113.9'],
    ['6.6.6.6, 203.0.113.9, 10.1.1.1', '203.0.113.9'],
    ['203.0.113.9:4711, 10.1.1.1:80', '203.0.113.9'],
    ['[2001:DB8::1]:443', '2001:db8::1'],
    ['2001:db8:0:0::1', '2001:db8::1'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['6.6.6.6, unknown, 10.1.1.1', '10.1.1.1'],
    ['6.6.6.6, 0x7f.1', '127.0.0.1'],
    ['6.6.6.6,', '127.0.0.1'],
    ['6.6.6.6, fe80::1%eth0', '127.0.0.1'],
    ['10.0.0.1, 10.0.0.2', '10.0.0.1'],
  ];
  for (const [header, address] of cases) {
    const headers: Record<string, string> = header === undefined ? {} : { 'x-forwarded-for': header };
    const { context } = JSON.parse((await ask(port, '/', { ...headers, 'x-real-ip': '6.6.6.6' })).text);
    assert.equal(context.address, address, header);
    assert.equal(context.peer, '127.0.0.1');
  }
});

test('without trusted proxies the socket alone says who asks, and the attempt is visible', async (t) => {
  const { port } = await serveFront(t, tell);
  const { context } = JSON.parse((await ask(port, '/', { 'x-forwarded-for': '6.6.6.6' })).text);
  assert.deepEqual([context.address, context.forwarded], ['127.0.0.1', true]);
  assert.equal(JSON.parse((await ask(port, '/', {})).text).context.forwarded, false);
  assert.equal(JSON.parse((await ask(port, '/', { forwarded: '' })).text).context.forwarded, true);
});

test('IPv4-mapped addresses and networks are IPv4, and a faulty network is named at the start', () => {
  const trusted = createTrust(['::ffff:10.0.0.0/104', '2001:db8::/32', '192.0.2.7']);
  assert.deepEqual(['10.9.9.9', '::ffff:10.1.1.1', '2001:db8::5', '192.0.2.7'].map(trusted), [true, true, true, true]);
  assert.deepEqual(['11.0.0.1', '192.0.2.8', '2001:db9::1', 'garbage', ''].map(trusted), [
    false,
    false,
    false,
    false,
    false,
  ]);
  assert.throws(() => createTrust(['10.0.0.0/33']), /"10\.0\.0\.0\/33" is no network/);
  assert.throws(() => createTrust(['proxy.internal']), /"proxy\.internal" is no network/);
  const everybody = createTrust(['0.0.0.0/0']);
  assert.equal(clientAddress('10.0.0.1', Array(5000).fill('1.2.3.4').join(','), everybody), '1.2.3.4');
});

test('methods that are not declared get 405, TRACE and CONNECT among them', async (t) => {
  const { port } = await serveFront(t, tell);
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    assert.equal((await ask(port, '/', {}, method)).status, 200, method);
  }
  for (const method of ['TRACE', 'PROPFIND', 'PURGE', 'SEARCH', 'M-SEARCH', 'LOCK', 'QUERY']) {
    const answer = await ask(port, '/', {}, method);
    assert.equal(answer.status, 405, method);
    assert.equal(answer.headers.allow, 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  }
  assert.match(
    (await raw(port, 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n')).text,
    /^HTTP\/1\.1 405 /,
  );
  assert.match((await raw(port, `HACK / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)).text, /^HTTP\/1\.1 400 /);
});

test('a malformed or over-long address is refused in words', async (t) => {
  const { port } = await serveFront(t, tell);
  for (const path of ['/%', '/%zz', '/%C3%28', '/%ED%A0%80', '/a%00b', '/a#b']) {
    const answer = await raw(port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
    assert.match(answer.text, /^HTTP\/1\.1 400 /, path);
    assert.match(answer.text, /"code":"invalid_request"|well-formed/, path);
  }
  for (const target of ['*', 'evil']) {
    const answer = await raw(
      port,
      `OPTIONS ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer.text, /^HTTP\/1\.1 400 /, target);
  }
  assert.equal((await ask(port, '/%C3%A9%2F?%zz')).status, 200, 'the query is the business of its endpoint');
  assert.equal((await ask(port, `/?${'a'.repeat(16 * 1024 - 2)}`)).status, 200);
  const long = await ask(port, `/?${'a'.repeat(16 * 1024 - 1)}`);
  assert.equal(long.status, 414);
  assert.match(long.text, /pushed/);
});

test('a request that did not come through the front is not guessed about', async (t) => {
  const errors: unknown[] = [];
  const { createServer } = await import('node:http');
  const server = createServer((req, res) => {
    try {
      requestContext(req);
    } catch (error) {
      errors.push(error);
    }
    res.end();
  }).listen(0);
  t.after(() => server.close());
  await new Promise((resolve) => get({ port: (server.address() as { port: number }).port, agent: false }, resolve));
  assert.match(String(errors[0]), /did not come through createFront/);
});

test('of many requests at once few begin in a turn of the event loop, all of them in order, and none is lost', async (t) => {
  const began: Array<{ path: string; turn: number }> = [];
  let turn = 0;
  let counting = true;
  const count = () => {
    turn += 1;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  t.after(() => {
    counting = false;
  });
  const next = byTurns((req, res) => {
    began.push({ path: req.url ?? '', turn });
    res.end();
  });
  const arrived: Array<[IncomingMessage, ServerResponse]> = [];
  const { port } = await serveFront(t, (req, res) => {
    // All of them in one turn.
    if (arrived.push([req, res]) === 200) for (const each of arrived) next(...each);
  });
  const host = `127.0.0.1:${port}`;
  const answers = await Promise.all(Array.from({ length: 200 }, (_each, n) => ask(port, `/${n}`, { host })));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.deepEqual(
    began.map(({ path }) => path),
    arrived.map(([{ url }]) => url),
  );
  const inOneTurn = Map.groupBy(began, (each) => each.turn);
  assert.ok(Math.max(...[...inOneTurn.values()].map((some) => some.length)) <= 8);
});
