/** Anything at all, at every endpoint: an answer below 500, each time, and a server that is none the worse for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createStage, type Door } from './support/doors.ts';
import { allDoors, answers, declaredRoutes } from './support/routes.ts';
import { assertQuiet, assertSafe, encoded, FORM, pairsOf, rawPairs, send } from './support/spoiled.ts';

/** Another with FUZZ_SEED, more with FUZZ_RUNS. */
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 2000);
/** As far as it gets, unless somebody asked for a number. */
const BUDGET = process.env['FUZZ_RUNS'] ? {} : { interruptAfterTimeLimit: 15_000 };

const NASTY = [
  ...['', '%', '%00', '%FF', '%C3%28', '%0D%0ASet-Cookie:a=b', '__proto__', 'constructor', 'a[b]', 'null', 'undefined'],
  ...['-1', '1e999', 'NaN', '../../etc/passwd', '<script>', "' OR 1=1--", '{"$ne":1}', 'javascript:alert(1)', '//x'],
  ...['urn:ietf:params:oauth:request_uri:x', 'eyJhbGciOiJub25lIn0.e30.', 'a.b.c', '{"userinfo":{"__proto__":{"x":1}}}'],
  ...['a'.repeat(300), 'a'.repeat(5000), '%F0%9F%94%91', '+', '%20', '&', ';', '='],
];

const value = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.string({ unit: 'binary', maxLength: 60 }).map((text) => encodeURIComponent(text.toWellFormed())),
  fc.string({ maxLength: 40 }).map((text) => text.replace(/[^!-~]/g, '%')),
);

const name = (door: Door) =>
  fc.oneof(
    { arbitrary: fc.constantFrom(...Object.keys(door.params), 'request', 'request_uri', 'dpop_jkt'), weight: 5 },
    { arbitrary: fc.constantFrom('registration', 'client_assertion', 'client_assertion_type', 'notice'), weight: 2 },
    { arbitrary: value, weight: 1 },
  );

/** What is done to the well-formed pairs, one after the other. */
const spoiling = (door: Door) =>
  fc.array(fc.record({ how: fc.constantFrom('set', 'add', 'remove', 'rename'), name: name(door), value }), {
    maxLength: 4,
  });

function spoil(door: Door, steps: { how: string; name: string; value: string }[]): [string, string][] {
  let pairs = encoded(pairsOf(door));
  for (const step of steps) {
    if (step.how === 'add') pairs.push([step.name, step.value]);
    else if (step.how === 'remove') pairs = pairs.filter(([key]) => key !== step.name);
    else
      pairs = pairs.map(([key, old]) =>
        key !== step.name ? [key, old] : step.how === 'set' ? [key, step.value] : [step.value, old],
      );
  }
  return pairs;
}

const headers = fc.record(
  {
    authorization: fc.oneof(fc.constantFrom('Basic', 'Basic Og==', 'Bearer', 'Bearer x', 'DPoP x'), headerText()),
    cookie: fc.oneof(fc.constantFrom('latchkey_session=x; latchkey_session.sig=y', '=;=', '__proto__=x'), headerText()),
    accept: fc.constantFrom('text/html', 'application/json', '*/*', 'nonsense', 'text/html;q=0, */*;q=x'),
    'accept-language': headerText(),
    origin: fc.constantFrom('null', 'http://127.0.0.1:9', 'https://evil.example', 'x'),
    dpop: headerText(),
    'content-type': fc.constantFrom(FORM, `${FORM}; charset=utf-8`, 'application/json', 'multipart/form-data', '', ';'),
    'sec-fetch-site': fc.constantFrom('cross-site', 'same-origin', 'x'),
    'if-none-match': fc.constantFrom('*', 'W/"x"', '"'),
  },
  { requiredKeys: [] },
);

function headerText() {
  return fc.string({ maxLength: 60 }).map((text) => text.replace(/[^\t -~]/g, '?'));
}

test(`whatever is sent to any address, the answer is decent (FUZZ_SEED=${SEED})`, {
  timeout: 120_000 + RUNS * 20,
}, async (t) => {
  t.diagnostic(`seed ${SEED}, ${RUNS} requests`);
  const stage = await createStage(t);
  const doors = allDoors(stage);
  for (const route of declaredRoutes())
    assert.ok(
      doors.some(({ method, path }) => method === route.method && answers(route, path)),
      `${route.method} ${route.path}`,
    );
  const done = new Set<string>();
  const request = fc.constantFrom(...doors).chain((door) =>
    fc.record({
      door: fc.constant(door),
      steps: spoiling(door),
      method: fc.oneof(
        { arbitrary: fc.constant(door.method), weight: 9 },
        { arbitrary: fc.constantFrom('GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'), weight: 1 },
      ),
      more: fc.oneof({ arbitrary: fc.constant({}), weight: 2 }, { arbitrary: headers, weight: 1 }),
      json: fc.jsonValue({ maxDepth: 4 }),
      raw: fc.option(fc.uint8Array({ maxLength: 200 }), { freq: 12 }),
      query: fc.option(value, { freq: 8 }),
    }),
  );

  await fc.assert(
    fc.asyncProperty(request, async ({ door, steps, method: asked, more, json, raw, query }) => {
      done.add(door.name);
      // This needs nothing but the token that is sent: it would be done, and what comes later would find no account.
      const method = asked === 'DELETE' && door.path === '/api/v1/account' ? 'PUT' : asked;
      const pairs = spoil(door, steps);
      const form = rawPairs(pairs);
      const whole =
        steps.length > 2 ? json : { ...door.params, ...Object.fromEntries(pairs.map(([key]) => [key, json])) };
      const text = door.place === 'json' ? JSON.stringify(whole) : form;
      const search = [...(door.place === 'query' ? [form] : []), ...(query === null ? [] : [query])].join('&');
      const path = `${door.path}${search === '' ? '' : `?${search.replace(/[^!-~]|#/g, '%')}`}`;
      const body = door.place === 'query' ? undefined : raw === null ? text : Buffer.from(raw);
      const type = { 'content-type': door.place === 'json' ? 'application/json' : FORM };
      const sent = { method, path, headers: { ...door.headers, ...(body === undefined ? {} : type), ...more }, body };
      const answer = await send(stage, sent);
      assertSafe(stage, answer, `${method} ${path} ${JSON.stringify(more)} ${body}`);
      assert.equal(answer.headers['set-cookie']?.some((cookie) => cookie.startsWith('a=b')) ?? false, false);
    }),
    { seed: SEED, numRuns: RUNS, endOnFailure: false, verbose: 0, ...BUDGET },
  );
  t.diagnostic(`${done.size} of ${doors.length} addresses`);

  assert.equal((await send(stage, { path: '/readyz' })).status, 200);
  assert.equal(
    (await send(stage, { path: '/oauth2/userinfo', headers: { authorization: `Bearer ${stage.tokens.access_token}` } }))
      .status,
    200,
  );
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
  assertQuiet(stage);
});
