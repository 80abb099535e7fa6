/** Outgoing requests and their answers: SECURITY X08. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { selfSigned } from './support/certificate.ts';
import { fails, startOutbound, startServer } from './support/outgoing.ts';

test('an answer arrives whole, with status and headers; the request as it was asked for', async (t) => {
  const asked: unknown[] = [];
  const { url } = await startServer(t, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push([request.method, request.url, request.headers['content-type'], request.headers['authorization'], body]);
    response.writeHead(418, { 'content-type': 'application/json', 'x-more': 'yes', 'content-encoding': 'gzip' });
    response.end(gzipSync('{"ok":true}'));
  });
  const outbound = startOutbound(t, { allow: ['127.0.0.1'] });
  const body = new URLSearchParams({ logout_token: 'a.b.c' });
  const response = await outbound(`${url}/logout?x=1`, {
    method: 'POST',
    body,
    headers: { authorization: 'Bearer x' },
  });
  assert.equal(response.status, 418);
  assert.equal(response.headers.get('x-more'), 'yes');
  assert.equal(response.headers.has('content-encoding'), false);
  assert.deepEqual(await response.json(), { ok: true });
  assert.deepEqual(asked, [
    ['POST', '/logout?x=1', 'application/x-www-form-urlencoded;charset=UTF-8', 'Bearer x', 'logout_token=a.b.c'],
  ]);
});

test('an answer without a body is an answer', async (t) => {
  const { url } = await startServer(t, (_request, response) => response.writeHead(204).end());
  const response = await startOutbound(t, { allow: ['127.0.0.1'] })(new URL(url), { method: 'POST' });
  assert.equal(response.status, 204);
  assert.equal(await response.text(), '');
});

test('64 KiB is the most of an answer, said or not, also unpacked', async (t) => {
  const outbound = startOutbound(t, { allow: ['127.0.0.1'] });
  const serving = (answer: RequestListener) => startServer(t, answer);
  const exact = await serving((_request, response) => response.end('x'.repeat(65_536)));
  assert.equal((await (await outbound(exact.url)).text()).length, 65_536);
  const said = await serving((_request, response) => response.end('x'.repeat(65_537)));
  await fails(outbound(said.url), 'too_large');
  const endless = await serving((_request, response) => {
    const timer = setInterval(() => response.write('x'.repeat(10_000)), 1);
    response.on('close', () => clearInterval(timer));
  });
  await fails(outbound(endless.url), 'too_large');
  const bomb = await serving((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000_000))),
  );
  await fails(outbound(bomb.url), 'too_large');
});

test('X13: the time holds for the headers, for a body that trickles, and for a slow resolver; 2.5 seconds by default', async (t) => {
  const silent = await startServer(t, () => undefined);
  const trickling = await startServer(t, (_request, response) => {
    const timer = setInterval(() => response.write('x'), 50);
    response.on('close', () => clearInterval(timer));
  });
  const outbound = startOutbound(t, { allow: ['127.0.0.1'], timeoutMs: 300 });
  await fails(outbound(silent.url), 'timeout', /127\.0\.0\.1:\d+ did not answer/);
  await fails(outbound(trickling.url), 'timeout');
  await fails(startOutbound(t, { lookup: () => undefined, timeoutMs: 300 })('http://slow.example/'), 'timeout');
  const startedAt = performance.now();
  await fails(startOutbound(t, { allow: ['127.0.0.1'] })(silent.url), 'timeout');
  const seconds = (performance.now() - startedAt) / 1000;
  assert.ok(seconds > 2.3 && seconds < 4, `${seconds}`);
});

test("the caller's signal ends a request with the caller's reason", async (t) => {
  const { url } = await startServer(t, () => undefined);
  const outbound = startOutbound(t, { allow: ['127.0.0.1'] });
  const controller = new AbortController();
  const request = outbound(url, { signal: controller.signal });
  controller.abort(new Error('no longer needed'));
  await assert.rejects(request, /no longer needed/);
});

test('other schemes, credentials in the address and broken addresses are refused', async (t) => {
  const outbound = startOutbound(t);
  for (const url of [
    'ftp://example.com/',
    'file:///etc/passwd',
    'data:,x',
    'http://u:p@example.com/',
    'nonsense',
    'http://[::1',
  ])
    await fails(outbound(url), 'invalid_request');
});

test('a certificate that nobody vouches for, a closed port and an unknown name are unreachable', async (t) => {
  const server = createTlsServer(selfSigned(['localhost']), (_request, response) => response.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const outbound = startOutbound(t, { allow: ['127.0.0.1', 'localhost'] });
  const { port } = server.address() as AddressInfo;
  await fails(outbound(`https://localhost:${port}/`), 'unreachable', /self-signed/);
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port: nobody } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  await fails(outbound(`http://127.0.0.1:${nobody}/`), 'unreachable', /ECONNREFUSED/);
  const unknown: LookupFunction = (_host, _options, callback) =>
    callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), []);
  await fails(startOutbound(t, { lookup: unknown })('https://nowhere.example/'), 'unreachable', /ENOTFOUND/);
});
