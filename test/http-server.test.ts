/** The server through raw sockets: broken, slow and smuggled requests, and a stop that loses nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createServer, type HttpServer, ListenFault, type ServerLimits } from '../src/http/server.ts';
import { raw, serve } from './support/serve.ts';

const HOST = 'Host: localhost\r\n';

/** Counts what reaches the application, and reads bodies to their end. */
async function counting(t: TestContext, limits?: Partial<ServerLimits>) {
  const seen: string[] = [];
  const served = await serve(
    t,
    async (req, res) => {
      try {
        let body = '';
        for await (const chunk of req) body += chunk;
        seen.push(`${req.method} ${req.url} ${body}`);
        res.end('ok');
      } catch {
        seen.push('broken off');
      }
    },
    limits,
  );
  return { ...served, seen };
}

test('X03: a request with two ideas of its own length never reaches the application twice', async (t) => {
  const { port, seen } = await counting(t);
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const requests = [
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${smuggled}`,
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\nContent-Length: 44\r\n\r\n${smuggled}`,
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    `POST / HTTP/1.1\r\n${HOST}Content-Length: +0\r\n\r\n${smuggled}`,
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 0x2c\r\n\r\n${smuggled}`,
    `GET / HTTP/1.1\r\n${HOST}X: a\rGET /smuggled HTTP/1.1\r\n\r\n`,
    `GET / HTTP/1.1\r\n${HOST} folded: x\r\n\r\n${smuggled}`,
    `GET / HTTP/1.1\n${HOST}\r\n${smuggled}`,
    `GET / HTTP/1.1\r\n${HOST}Bad\0Name: x\r\n\r\n${smuggled}`,
  ];
  for (const bytes of requests) {
    const { text, closed } = await raw(port, bytes);
    const answers = text.match(/HTTP\/1\.1 \d+/g) ?? [];
    assert.deepEqual([answers.at(-1), closed], ['HTTP/1.1 400', true], JSON.stringify(bytes.slice(0, 90)));
    assert.match(text, /not a well-formed HTTP\/1\.1 request/);
  }
  assert.deepEqual(
    seen.filter((line) => line.includes('smuggled')),
    [],
  );
});

test('X03: bad chunks are refused', async (t) => {
  const { port, seen } = await counting(t);
  const head = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
  for (const body of [
    'zz\r\nab\r\n0\r\n\r\n',
    '-1\r\n\r\n',
    '2\r\nabc\r\n0\r\n\r\n',
    '2\nab\r\n0\r\n\r\n',
    '0x2\r\nab\r\n0\r\n\r\n',
  ]) {
    const { text, closed } = await raw(port, head + body);
    assert.match(text, /^HTTP\/1\.1 400 /, JSON.stringify(body));
    assert.ok(closed);
  }
  const extension = await raw(port, `${head}2;${'x'.repeat(20_000)}\r\nab\r\n0\r\n\r\n`);
  assert.match(extension.text, /^HTTP\/1\.1 413 /);
  assert.ok(
    seen.every((line) => line === 'broken off'),
    seen.join(),
  );
});

test('headers that are too long get 431 in words, with an id and no trace of the input', async (t) => {
  const { port } = await counting(t);
  const { text, closed } = await raw(port, `GET / HTTP/1.1\r\n${HOST}Cookie: ${'secret'.repeat(5000)}\r\n\r\n`);
  assert.match(text, /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
  assert.match(text, /X-Request-ID: [0-9a-f-]{36}\r\n/);
  assert.match(text, /delete cookies/);
  assert.doesNotMatch(text, /secret/);
  assert.ok(closed);
  assert.match((await raw(port, `GET /${'a'.repeat(30_000)} HTTP/1.1\r\n${HOST}\r\n`)).text, /^HTTP\/1\.1 431 /);
});

test('slow headers and slow bodies are answered with 408 and closed', async (t) => {
  const { port, seen } = await counting(t, {
    headersTimeout: 200,
    requestTimeout: 400,
    connectionsCheckingInterval: 50,
  });
  const slowHeaders = await raw(port, ['GET / HTTP/1.1\r\n', ...'Host: localhost\r\nX: 123456789'], { pauseMs: 40 });
  assert.match(slowHeaders.text, /^HTTP\/1\.1 408 Request Timeout\r\n/);
  assert.ok(slowHeaders.closed && slowHeaders.ms < 1500, `${slowHeaders.ms} ms`);
  const slowBody = await raw(
    port,
    [`POST / HTTP/1.1\r\n${HOST}Content-Length: 100\r\n\r\n`, ...'abcdefghijklmnopqrstuvw'],
    {
      pauseMs: 40,
    },
  );
  assert.match(slowBody.text, /^HTTP\/1\.1 408 /);
  assert.ok(slowBody.closed && slowBody.ms < 1500, `${slowBody.ms} ms`);
  const silent = await raw(port, '', { waitMs: 1500 });
  assert.ok(silent.closed, 'a connection that never says anything is not kept');
  assert.deepEqual(seen, ['broken off']);
});

test('an answer that has begun is never followed by another on the same connection', async (t) => {
  const { port } = await serve(t, (_req, res) => {
    res.writeHead(200, { 'Content-Length': 10 });
    res.write('12345');
  });
  const { text, closed } = await raw(port, [`GET / HTTP/1.1\r\n${HOST}\r\n`, 'garbage\r\n\r\n'], { pauseMs: 50 });
  assert.ok(closed);
  assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1);
  assert.ok(text.endsWith('12345'));
});

test('a connection serves so many requests and no more', async (t) => {
  const { port } = await counting(t, { maxRequestsPerSocket: 2 });
  const requests = [1, 2, 3].map((n) => `GET /${n} HTTP/1.1\r\n${HOST}\r\n`);
  const { text } = await raw(port, requests, { until: /HTTP\/1\.1 503/ });
  assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 503']);
});

test('there are so many connections and no more', async (t) => {
  const { port } = await counting(t, { maxConnections: 1 });
  const first = connect(port, '127.0.0.1');
  first.write(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  await once(first, 'data');
  const second = await raw(port, `GET / HTTP/1.1\r\n${HOST}\r\n`);
  assert.deepEqual([second.text, second.closed], ['', true]);
  first.destroy();
});

test('a port that can’t be had is explained in a sentence', async (t) => {
  const { port } = await counting(t);
  const other = createServer(() => {});
  const faults: [Parameters<HttpServer['listen']>[0], RegExp][] = [
    [{ host: '127.0.0.1', port }, /^Port \d+ on 127\.0\.0\.1 is in use by another process.*LATCHKEY_PORT/],
    [{ host: '192.0.2.1', port: 0 }, /no address 192\.0\.2\.1.*LATCHKEY_HOST/],
  ];
  for (const [at, words] of faults) {
    await assert.rejects(other.listen(at), (error: Error) => error instanceof ListenFault && words.test(error.message));
  }
  const { address } = await other.listen({ host: '127.0.0.1', port: 0 });
  assert.equal(address, '127.0.0.1', 'a server that failed to listen can try again');
  await other.stop({ drainMs: 0, graceMs: 0 });
});

function ask(port: number, agent: Agent | false = false): Promise<IncomingMessage & { text: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, agent }, async (res) => {
      let text = '';
      for await (const chunk of res) text += chunk;
      resolve(Object.assign(res, { text }));
    });
    req.on('error', reject).end();
  });
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const NEVER = -1;

/** `asked` resolves when the first request is there. */
async function answering(ms: number): Promise<{ server: HttpServer; port: number; asked: Promise<void> }> {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const server = createServer(async (_req, res: ServerResponse) => {
    resolve();
    if (ms === NEVER) return;
    await later(ms);
    res.end('done');
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  return { server, port, asked };
}

test('a stop lets requests finish, tells clients to go elsewhere, and then refuses connections', async () => {
  const { server, port, asked } = await answering(200);
  const agent = new Agent({ keepAlive: true });
  const running = ask(port, agent);
  await asked;
  const stopped = server.stop({ drainMs: 1000, graceMs: 2000 });
  assert.equal(server.draining, true);
  const during = ask(port, agent);
  for (const answer of await Promise.all([running, during])) {
    assert.deepEqual([answer.text, answer.headers.connection], ['done', 'close']);
  }
  assert.deepEqual(await stopped, { cut: 0 });
  await assert.rejects(ask(port), /ECONNREFUSED/);
});

test('a request that outlasts the patience is cut and counted, and a second stop means now', async () => {
  const first = await answering(NEVER);
  const hanging = ask(first.port);
  hanging.catch(() => {});
  await first.asked;
  assert.deepEqual(await first.server.stop({ drainMs: 0, graceMs: 50 }), { cut: 1 });
  await assert.rejects(hanging, /socket hang up|ECONNRESET/);

  const second = await answering(NEVER);
  ask(second.port).catch(() => {});
  await second.asked;
  const patient = second.server.stop({ drainMs: 300, graceMs: 60_000 });
  const started = performance.now();
  assert.deepEqual(await second.server.stop({ drainMs: 0, graceMs: 0 }), { cut: 1 });
  await patient;
  assert.ok(performance.now() - started < 2000);
});

test('connections that never asked anything do not hold up a stop', async () => {
  const { server, port } = await answering(0);
  const silent = connect(port, '127.0.0.1');
  await new Promise((resolve) => silent.once('connect', resolve));
  const agent = new Agent({ keepAlive: true });
  await ask(port, agent);
  const started = performance.now();
  await server.stop({ drainMs: 0, graceMs: 10_000 });
  assert.ok(performance.now() - started < 5000, 'neither the silent nor the idle connection is waited for');
  agent.destroy();
});

const TUNNEL = 'CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n';

/** A client that was told to go and does not hang up. */
async function staying(port: number, bytes: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {}).resume();
  socket.write(bytes);
  await once(socket, 'end');
  return socket;
}

test('who was told to go and does not hang up gives its place to others, and holds up no stop', async (t) => {
  const limits = { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 };
  const bodyless = `POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nab`;
  const all = ['', 'GET / HTTP/1.1\r\n', bodyless, 'garbage\r\n\r\n', TUNNEL];
  const stubborn: Socket[] = [];
  // Before the servers end, which would wait for them if this fails.
  t.after(() => stubborn.map((socket) => socket.destroy()));
  await Promise.all(
    all.map(async (bytes) => {
      const { port, server } = await counting(t, { ...limits, maxConnections: 1 });
      stubborn.push(await staying(port, bytes));
      await later(1500);
      const other = await raw(port, `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
      assert.match(other.text, /^HTTP\/1\.1 200 /, JSON.stringify(bytes));
      stubborn.push(await staying(port, bytes));
      const stopped = server.stop({ drainMs: 0, graceMs: 50 }).then(() => true);
      assert.ok(await Promise.race([stopped, later(2000)]), JSON.stringify(bytes));
    }),
  );
});

test('who asks for a tunnel and breaks off ends a connection, not the process', async (t) => {
  const { port } = await counting(t);
  for (let n = 0; n < 20; n += 1) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.write(TUNNEL);
    await once(socket, 'connect');
    socket.resetAndDestroy();
  }
  await later(50);
  assert.match((await raw(port, `GET / HTTP/1.1\r\n${HOST}\r\n`, { waitMs: 300 })).text, /^HTTP\/1\.1 200 /);
});

test('who has connected and asked when a stop begins is answered, although nobody has read it yet', async () => {
  for (let n = 0; n < 20; n += 1) {
    const { server, port } = await answering(0);
    const client = connect(port, '127.0.0.1');
    client.write(`GET / HTTP/1.1\r\n${HOST}\r\n`);
    await once(client, 'connect');
    await new Promise((resolve) => setImmediate(resolve));
    const answer = once(client, 'data');
    const stopped = server.stop({ drainMs: 0, graceMs: 2000 });
    assert.match(String((await answer)[0]), /^HTTP\/1\.1 200 /);
    assert.deepEqual(await stopped, { cut: 0 });
  }
});

test('four restarts under load of 20 keep-alive clients fail no request (T20)', async () => {
  let current = await answering(2);
  let stopping = false;
  let done = 0;
  const failures: unknown[] = [];
  const clients = Array.from({ length: 20 }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!stopping) {
      await ask(current.port, agent).then(
        ({ text }) => {
          assert.equal(text, 'done');
          done += 1;
        },
        (error) => failures.push(error),
      );
    }
    agent.destroy();
  });
  for (let restart = 1; restart <= 4; restart += 1) {
    while (done < 125 * restart) await later(20);
    const old = current;
    // Long enough for the next one to be there on a slow machine, too.
    const draining = old.server.stop({ drainMs: 800, graceMs: 10_000 });
    await later(60);
    current = await answering(2);
    assert.deepEqual(await draining, { cut: 0 });
  }
  stopping = true;
  await Promise.all(clients);
  await current.server.stop({ drainMs: 0, graceMs: 100 });
  assert.deepEqual(failures, []);
});
