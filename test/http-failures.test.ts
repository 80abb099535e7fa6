/** How failures look from outside: problem+json of an API, the error page of the hosted pages, and the log. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { AppError } from '../src/errors.ts';
import { createLog } from '../src/http/log.ts';
import { pageErrors } from '../src/http/pages.ts';
import { problems } from '../src/http/problem.ts';
import { serveKoa } from './support/serve.ts';

class DriverError extends Error {
  row = { password: 'hunter2' };
  code = '23505';
}

function failingRoutes(): Middleware[] {
  const router = new Router();
  router.get('/fine', (ctx) => {
    ctx.body = { fine: true };
  });
  router.get('/limited', () => {
    throw new AppError('too_many_attempts', { message: 'Wait a little.', retryAfter: 1.2 });
  });
  router.get('/fields', () => {
    const fields = [{ field: 'name', code: 'too_short', values: { min: 2 } }];
    throw new AppError('invalid_request', { message: 'Not accepted: name.', fields });
  });
  router.get('/token', () => {
    throw new AppError('invalid_token', { headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } });
  });
  router.get('/down', () => {
    throw new AppError('storage_unavailable', {
      message: 'Try again soon.',
      cause: new Error('disk full at /data/db'),
    });
  });
  router.get('/bug', (ctx) => {
    ctx.set('ETag', '"1"');
    throw new DriverError('duplicate key (email)=(ann@example.test)');
  });
  router.get('/odd', () => {
    throw 'a string';
  });
  return [router.routes(), router.allowedMethods()] as Middleware[];
}

function recordingLog() {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return { lines, log: createLog({ level: 'info', pretty: false, destination }) };
}

async function api(t: TestContext) {
  const { lines, log } = recordingLog();
  const explain = ({ code, values }: { code: string; values?: object }) => `${code} ${JSON.stringify(values)}`;
  const { origin } = await serveKoa(t, [problems({ log, explain }), ...failingRoutes()]);
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(origin + path, { method });
    const text = await response.text();
    return { response, text, body: text ? JSON.parse(text) : undefined };
  };
  return { get, lines };
}

test('a known failure of an API is problem+json with code, words and the request’s id', async (t) => {
  const { get, lines } = await api(t);
  const { response, body } = await get('/fields');
  assert.equal(response.status, 400);
  assert.equal(response.headers.get('content-type'), 'application/problem+json');
  assert.equal(response.headers.get('cache-control'), 'no-store');
  assert.deepEqual(body, {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'Not accepted: name.',
    code: 'invalid_request',
    request_id: response.headers.get('x-request-id'),
    errors: [{ field: 'name', code: 'too_short', detail: 'too_short {"min":2}' }],
  });
  assert.deepEqual(lines, []);
});

test('Retry-After and the headers of an error are sent, a failure without words gets some', async (t) => {
  const { get } = await api(t);
  assert.equal((await get('/limited')).response.headers.get('retry-after'), '2');
  const { response, body } = await get('/token');
  assert.equal(response.headers.get('www-authenticate'), 'Bearer error="invalid_token"');
  assert.equal(body.detail, 'Invalid token.');
});

test('what is unforeseen is a bare 500 outside and whole in the log, without what drivers hang on errors', async (t) => {
  const { get, lines } = await api(t);
  const { response, text, body } = await get('/bug');
  assert.deepEqual([response.status, body.code, response.headers.get('etag')], [500, 'internal_error', null]);
  assert.doesNotMatch(text, /duplicate|ann@|23505|hunter2|at /);
  assert.equal(lines.length, 1);
  const [line] = lines as [{ level: string; request_id: string; err: Record<string, string> }];
  assert.deepEqual([line.level, line.request_id], ['error', body.request_id]);
  assert.deepEqual(
    [line.err['message'], line.err['error_code']],
    ['duplicate key (email)=(ann@example.test)', '23505'],
  );
  assert.match(line.err['stack'] ?? '', /http-failures\.test\.ts/);
  assert.doesNotMatch(JSON.stringify(line), /hunter2/);
  assert.equal((await get('/odd')).response.status, 500);
  assert.equal(lines.length, 2);
});

test('a known failure of the server is logged with its cause, which the caller does not see', async (t) => {
  const { get, lines } = await api(t);
  const { response, text } = await get('/down');
  assert.equal(response.status, 503);
  assert.doesNotMatch(text, /disk full/);
  assert.match(JSON.stringify(lines), /disk full/);
});

test('an API path without a route is 404, and a wrong method 405 with Allow, both as problems', async (t) => {
  const { get } = await api(t);
  const missing = await get('/nothing');
  assert.deepEqual([missing.response.status, missing.body.code], [404, 'not_found']);
  assert.match(missing.body.detail, /nothing at \/nothing/);
  const wrong = await get('/fine', 'DELETE');
  assert.deepEqual([wrong.response.status, wrong.body.code], [405, 'method_not_allowed']);
  assert.equal(wrong.response.headers.get('allow'), 'HEAD, GET');
  assert.match(wrong.body.detail, /DELETE is not possible at \/fine, only HEAD, GET\./);
  assert.deepEqual((await get('/fine')).body, { fine: true });
  const head = await get('/limited', 'HEAD');
  assert.deepEqual([head.response.status, head.text], [429, '']);
});

interface Shown {
  name: string;
  data: Record<string, unknown>;
}

async function pages(t: TestContext, development: boolean, broken = false) {
  const { lines, log } = recordingLog();
  const shown: Shown[] = [];
  const page = (ctx: Context, name: string, data: Record<string, unknown>) => {
    if (broken) throw new Error('the template has a fault');
    shown.push({ name, data });
    ctx.type = 'html; charset=utf-8';
    ctx.body = '<h1>Sorry</h1>';
  };
  const { origin } = await serveKoa(t, [pageErrors({ page, development, log }), ...failingRoutes()]);
  return { shown, lines, get: (path: string, init?: RequestInit) => fetch(origin + path, init) };
}

test('every failure of a page shows the error page, which no cache keeps', async (t) => {
  const { get, shown } = await pages(t, false);
  const expected: [string, number, string][] = [
    ['/limited', 429, 'too_many_attempts'],
    ['/fields', 400, 'invalid_request'],
    ['/down', 503, 'storage_unavailable'],
    ['/bug', 500, 'internal_error'],
    ['/nothing', 404, 'not_found'],
  ];
  for (const [path, status, code] of expected) {
    const response = await get(path);
    assert.equal(response.status, status, path);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
    const { name, data } = shown.at(-1) as Shown;
    assert.deepEqual([name, data['status'], data['code']], ['error', status, code]);
    assert.equal(data['requestId'], response.headers.get('x-request-id'));
    assert.equal(data['developer'], null, 'in production nothing of the inside is told');
    assert.doesNotMatch(JSON.stringify(data), /duplicate|disk full|ann@/);
  }
  assert.equal((await get('/fine', { method: 'POST' })).status, 405);
  assert.equal((shown.find(({ data }) => data['status'] === 429) as Shown).data['retryAfter'], 1.2);
});

test('in development the page says which parameter is wrong and what was expected', async (t) => {
  const { get, shown } = await pages(t, true);
  await get('/fields');
  assert.deepEqual(shown[0]?.data['developer'], [
    { label: 'invalid_request', value: 'Not accepted: name.' },
    { label: 'name', value: 'too_short, min 2' },
  ]);
  await get('/bug');
  assert.match(JSON.stringify(shown[1]?.data['developer']), /duplicate key/);
});

test('a fault of the error page itself still ends in an answer with the right status and an id', async (t) => {
  const { get, lines } = await pages(t, false, true);
  const response = await get('/fields');
  assert.equal(response.status, 400);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain/);
  assert.match(await response.text(), /^400\n\nRequest [0-9a-f-]{36}\n$/);
  assert.match(JSON.stringify(lines), /the template has a fault/);
});
