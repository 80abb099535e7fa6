/** Bodies and queries at the door, over real HTTP: the right shape, or a 4xx that names what is wrong. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { z } from 'zod';
import { readForm, readJson, readQuery } from '../src/http/body.ts';
import { createLog } from '../src/http/log.ts';
import { problems } from '../src/http/problem.ts';
import { raw, serveKoa } from './support/serve.ts';

const Person = z.strictObject({ email: z.email().max(20), name: z.string().min(2).max(10).optional() });
const Anything = z.strictObject({
  data: z.record(z.string(), z.unknown()).optional(),
  list: z.array(z.unknown()).optional(),
});
const FORM = 'application/x-www-form-urlencoded';

async function door(t: TestContext) {
  const logged: string[] = [];
  const log = createLog({ level: 'info', pretty: false, destination: { write: (line) => logged.push(line) } });
  const { origin, port } = await serveKoa(t, [
    problems({ log }),
    async (ctx) => {
      if (ctx.path === '/form') ctx.body = await readForm(ctx, Person);
      else if (ctx.path === '/json') ctx.body = await readJson(ctx, Person);
      else if (ctx.path === '/any') ctx.body = await readJson(ctx, Anything);
      else if (ctx.path === '/query') ctx.body = readQuery(ctx, Person);
      else if (ctx.path === '/lax') ctx.body = await readJson(ctx, z.object({}));
    },
  ]);
  const send = async (path: string, body: BodyInit, type: string | undefined, headers: Record<string, string> = {}) => {
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
    const init = { method: 'POST', body: bytes, headers: { ...(type && { 'content-type': type }), ...headers } };
    return answer(await fetch(`${origin}${path}`, init));
  };
  return {
    logged,
    port,
    form: (body: string) => send('/form', body, FORM),
    json: (body: BodyInit, path = '/json') => send(path, body, 'application/json'),
    query: async (query: string) => answer(await fetch(`${origin}/query?${query}`)),
    send,
  };
}

async function answer(response: Response) {
  const body = (await response.json()) as Record<string, unknown> & { errors?: { field: string; code: string }[] };
  const faults = (body.errors ?? []).map(({ field, code }) => `${field}: ${code}`);
  return { status: response.status, body, faults, headers: response.headers };
}

test('a right form, JSON body or query arrives as its schema says', async (t) => {
  const { form, json, query } = await door(t);
  const person = { email: 'é+a@example.test'.slice(1), name: 'Zoë & Co' };
  const fields = 'email=%2Ba%40example.test&name=Zo%C3%AB+%26+Co';
  assert.deepEqual((await form(fields)).body, person);
  assert.deepEqual((await query(`${fields}&`)).body, person);
  assert.deepEqual((await json(JSON.stringify(person))).body, person);
});

test('each wrong field is named with a code of the catalogue', async (t) => {
  const { form, json, query } = await door(t);
  const cases: [string, string[]][] = [
    ['', ['email: required']],
    ['email=', ['email: required']],
    ['email=nobody', ['email: invalid_email']],
    ['email=a%40example.test&name=x', ['name: too_short']],
    ['email=aaaaaaaaaaaaaaaaaaaa%40example.test&name=01234567890', ['email: too_long', 'name: too_long']],
    ['email=a%40example.test&admin=1&x=2', ['admin: unknown_field', 'x: unknown_field']],
  ];
  for (const [fields, faults] of cases) {
    for (const { status, body, faults: found } of [await form(fields), await query(fields)]) {
      assert.equal(status, 400, fields);
      assert.equal(body['code'], 'invalid_request');
      assert.deepEqual(found, faults, fields);
    }
  }
  const types = await json('{"email":["a@example.test"],"name":null}');
  assert.deepEqual(types.faults, ['email: invalid_type', 'name: invalid_type']);
  assert.match(String(types.body['detail']), /email \(invalid type\), name \(invalid type\)/);
  for (const body of ['null', '[]', '"x"', '1']) assert.deepEqual((await json(body)).faults, [': invalid_type'], body);
});

test('a doubled field is refused by name, in forms, queries and JSON', async (t) => {
  const { form, json, query } = await door(t);
  const doubled = 'email=a%40example.test&name=Ann&email=b%40example.test&%6eame=Bob';
  for (const { status, faults } of [await form(doubled), await query(doubled)]) {
    assert.deepEqual([status, faults], [400, ['email: doubled', 'name: doubled']]);
  }
  assert.deepEqual((await json('{"email":"a@example.test","\\u0065mail":"b@example.test"}')).faults, [
    'email: doubled',
  ]);
  const nested = '{"list":[{"a":1},{"a":1,"b":{"c":1,"c":2}}],"data":{"a":"{\\"a\\":1,\\"a\\":2}"}}';
  assert.deepEqual((await json(nested, '/any')).faults, ['list.1.b.c: doubled']);
});

test('text that is not UTF-8, or holds NUL or half a surrogate pair, is refused and never replaced', async (t) => {
  const { form, json, query, send } = await door(t);
  for (const value of ['%', '%zz', '%C3%28', '%ED%A0%80', '%00', 'a%00b']) {
    const pair = `email=a%40example.test&name=${value}`;
    for (const { status, faults } of [await form(pair), await query(pair)]) {
      assert.deepEqual([status, faults], [400, ['name: invalid_characters']], value);
    }
  }
  const latin1 = Buffer.from('email=a%40example.test&name=Zo\xeb', 'latin1');
  assert.match(String((await send('/form', latin1, FORM)).body['detail']), /not UTF-8/);
  assert.match(String((await json(Buffer.from('{"email":"\xff"}', 'latin1'))).body['detail']), /not UTF-8/);
  assert.deepEqual((await json('{"email":"a\\u0000","name":"\\ud800"}')).faults, [
    'email: invalid_characters',
    'name: invalid_characters',
  ]);
  assert.equal((await json('\ufeff{"email":"a@example.test"}')).status, 400, 'a byte order mark is no JSON');
});

test('another content type, charset or encoding is 415 and says what is expected', async (t) => {
  const { send } = await door(t);
  const form = 'email=a%40example.test';
  for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/json', undefined, 'garbage', ';']) {
    const { status, body, headers } = await send('/form', form, type);
    assert.equal(status, 415, type);
    assert.match(String(body['detail']), /Send the body as application\/x-www-form-urlencoded/);
    assert.equal(headers.get('accept'), FORM);
  }
  assert.equal((await send('/form', form, `${FORM}; charset=ISO-8859-1`)).status, 415);
  assert.equal((await send('/form', form, FORM, { 'content-encoding': 'gzip' })).status, 415);
  for (const type of ['Application/X-WWW-Form-URLEncoded', `${FORM}; charset=UTF-8`, `${FORM};charset="utf-8"`]) {
    assert.equal((await send('/form', form, type)).status, 200, type);
  }
});

test('huge input: 64 KiB are read, one byte more is 413, announced or not, and the connection lives on', async (t) => {
  const { form, json, port } = await door(t);
  const exact = `{"email":"a@example.test"${' '.repeat(64 * 1024 - 26)}}`;
  assert.equal(exact.length, 64 * 1024);
  assert.equal((await json(exact)).status, 200);
  const over = await json(`${exact} `);
  assert.deepEqual([over.status, over.body['code']], [413, 'body_too_large']);
  assert.equal((await form('a'.repeat(5_000_000))).status, 413);
  const head = `POST /json HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n`;
  const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
  const { text } = await raw(
    port,
    [`${head}Transfer-Encoding: chunked\r\n\r\n`, chunk.repeat(20), '0\r\n\r\n', `${head}Content-Length: 2\r\n\r\n{}`],
    { waitMs: 500 },
  );
  assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 413', 'HTTP/1.1 400']);
});

test('a body that breaks off is nobody’s bug', async (t) => {
  const { port, logged } = await door(t);
  const head = `POST /json HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n`;
  await raw(port, [`${head}Content-Length: 50\r\n\r\n{"email"`], { waitMs: 60 });
  await raw(port, [`${head}Transfer-Encoding: chunked\r\n\r\n5\r\n{"ema\r\nzz\r\n`], { waitMs: 60 });
  assert.deepEqual(logged, []);
});

test('__proto__ and constructor change nothing, wherever they stand', async (t) => {
  const { form, json, query } = await door(t);
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    assert.deepEqual((await form(`email=a%40example.test&${name}=x`)).faults, [`${name}: unknown_field`]);
    assert.deepEqual((await query(`email=a%40example.test&${name}=x`)).faults, [`${name}: unknown_field`]);
    assert.deepEqual((await json(`{"email":"a@example.test","${name}":{"x":1}}`)).faults, [`${name}: unknown_field`]);
    assert.deepEqual((await json(`{"data":{"${name}":{"x":1}}}`, '/any')).faults, [`data.${name}: unknown_field`]);
  }
  assert.deepEqual((await form('email=a%40example.test&__proto__=x&__proto__=y')).faults, ['__proto__: doubled']);
  assert.deepEqual((await form('email=a%40example.test&__proto__[x]=1')).faults, ['__proto__[x]: unknown_field']);
  assert.equal(({} as { x?: unknown }).x, undefined);
});

test('broken and bottomless JSON is a 400, never a 500', async (t) => {
  const { json, logged } = await door(t);
  for (const body of [
    '',
    '{',
    '{"email":}',
    '{"email":"a@example.test"} x',
    "{'email':1}",
    '[1,]',
    'undefined',
    'NaN',
  ]) {
    const { status, body: problem } = await json(body);
    assert.equal(status, 400, body);
    assert.match(String(problem['detail']), /The body is no JSON/);
  }
  const deep = (n: number) => `{"list":${'['.repeat(n)}${']'.repeat(n)}}`;
  assert.equal((await json(deep(15), '/any')).status, 200);
  assert.match(String((await json(deep(16), '/any')).body['detail']), /more than 16 levels/);
  assert.equal((await json(deep(30_000), '/any')).status, 400);
  assert.equal((await json(`{"data":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`, '/any')).status, 400);
  assert.equal((await json(JSON.stringify({ data: { a: 'x"\\{[,'.repeat(5000) } }), '/any')).status, 200);
  assert.deepEqual(logged, []);
});

test('a schema that would drop unknown fields silently is a bug, and shows in the first test', async (t) => {
  const { json, logged } = await door(t);
  assert.equal((await json('{}', '/lax')).status, 500);
  assert.match(logged.join(''), /write z\.strictObject/);
});
