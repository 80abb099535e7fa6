/** One parameter wrong at a time, at every endpoint: a 4xx in its own format that says what is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStage, type Door, type Stage } from './support/doors.ts';
import {
  type Answered,
  assertQuiet,
  assertRefusal,
  assertSafe,
  encoded,
  errorInRedirect,
  type Pair,
  pairsOf,
  rawPairs,
  through,
} from './support/spoiled.ts';

const OPTIONAL_LONG = 'a'.repeat(5000);

/** Doors with parameters in a query or a form, each parameter once. */
async function eachParameter(
  stage: Stage,
  work: (door: Door, name: string, spoil: (change: (pair: Pair) => Pair[]) => string) => Promise<void>,
): Promise<void> {
  for (const door of stage.doors.filter(({ place }) => place !== 'json')) {
    const pairs = encoded(pairsOf(door));
    for (const name of Object.keys(door.params)) {
      const spoil = (change: (pair: Pair) => Pair[]) =>
        rawPairs(pairs.flatMap((pair) => (pair[0] === name ? change(pair) : [pair])));
      await work(door, name, spoil);
    }
  }
}

/** What is wrong may be told to the application, whose client_id and redirect_uri are in order. */
function assertTold(stage: Stage, door: Door, answer: Answered, what: string): string {
  if (door.name !== 'authorize' || answer.headers.location === undefined) {
    return assertRefusal(stage, door, answer, what);
  }
  assertSafe(stage, answer, what);
  assert.match(
    String(errorInRedirect(answer)),
    /^(invalid|unsupported)_[a-z_]+$/,
    `${what}: ${answer.headers.location}`,
  );
  return new URL(answer.headers.location).searchParams.get('error_description') ?? '';
}

test('every endpoint', async (t) => {
  const stage = await createStage(t);

  await t.test('takes its well-formed request, which is what the others are spoiled from', async (t) => {
    const fresh = await createStage(t);
    for (const door of fresh.doors) {
      const text = door.place === 'json' ? JSON.stringify(door.params) : rawPairs(encoded(pairsOf(door)));
      const answer = await through(fresh, door, text);
      assertSafe(fresh, answer, door.name);
      assert.equal(answer.status, door.status, `${door.name}: ${answer.text.slice(0, 500)}`);
      assert.equal(errorInRedirect(answer), undefined, `${door.name}: ${answer.headers.location}`);
    }
  });

  await t.test('says which required parameter is missing', async () => {
    await eachParameter(stage, async (door, name, spoil) => {
      if (!door.required.includes(name)) return;
      const answer = await through(
        stage,
        door,
        spoil(() => []),
      );
      const words = assertTold(stage, door, answer, `${door.name} without ${name}`);
      // An anti-forgery token of the core is not said to be missing, but to be wrong.
      if (name !== 'xsrf' && name !== 'user_code') assert.ok(named(name, words), `${door.name}: ${name} in "${words}"`);
    });
  });

  await t.test('P37: refuses a parameter that is sent twice', async () => {
    await eachParameter(stage, async (door, name, spoil) => {
      const answer = await through(
        stage,
        door,
        spoil((pair) => [pair, pair]),
      );
      const what = `${door.name} with two ${name}`;
      const repeatable = name === 'resource' && door.format !== 'problem';
      if (repeatable || name === 'rel') return assert.ok(answer.status < 400 && !errorInRedirect(answer), what);
      assert.ok(named(name, assertTold(stage, door, answer, what)), what);
      if (answer.headers.location) assert.equal(errorInRedirect(answer), 'invalid_request', what);
    });
  });

  await t.test('P37: one that it does not know, too', async () => {
    for (const door of stage.doors.filter(({ place }) => place !== 'json')) {
      const text = rawPairs([...encoded(pairsOf(door)), ['other', '1'], ['other', '2']]);
      if (door.name === 'webfinger') continue;
      assert.match(assertRefusal(stage, door, await through(stage, door, text), door.name), /other/);
    }
  });

  await t.test('P41: refuses a value of 5 KB instead of dropping or storing it', async () => {
    await eachParameter(stage, async (door, name, spoil) => {
      const what = `${door.name} with a long ${name}`;
      const answer = await through(
        stage,
        door,
        spoil(([key]) => [[key, OPTIONAL_LONG]]),
      );
      // RFC 7662 section 2.2, RFC 7009 section 2.2: a token that is none is no error.
      if (name === 'token') return assert.equal(answer.status, 200, what);
      const words = assertTold(stage, door, answer, what);
      if (answer.status < 400 || name === 'id_token_hint') return;
      assert.ok(named(name, words) || /too_long|longer/.test(words), `${what}: ${words}`);
    });
  });

  for (const [kind, value] of [
    ['bytes that are not UTF-8', '%FF'],
    ['a cut-off character', 'a%C3%28'],
    ['half of a surrogate pair', '%ED%A0%80'],
    ['a percent sign that starts nothing', '%zz'],
    ['a NUL', 'a%00b'],
  ] as const) {
    await t.test(`refuses ${kind} wherever it is, and goes nowhere`, async () => {
      await eachParameter(stage, async (door, name, spoil) => {
        const what = `${door.name}, ${name}=${value}`;
        const inValue = await through(
          stage,
          door,
          spoil(([key]) => [[key, value]]),
        );
        assert.ok(named(name, assertRefusal(stage, door, inValue, what)), what);
        assert.equal(inValue.status, 400, what);
        assert.equal(inValue.headers.location, undefined, what);
      });
      for (const door of stage.doors.filter(({ place }) => place !== 'json')) {
        const inName = await through(stage, door, rawPairs([...encoded(pairsOf(door)), [value, 'x']]));
        assertRefusal(stage, door, inName, `${door.name}, the name ${value}`);
      }
    });
  }

  await t.test('refuses control characters in what it would store or show', async () => {
    const tokens = /^(csrf|xsrf|.*password|code|email|username|decision)$/;
    await eachParameter(stage, async (door, name, spoil) => {
      if (door.name === 'webfinger' && name === 'rel') return;
      const what = `${door.name}, ${name} with a line break and an escape`;
      const answer = await through(
        stage,
        door,
        spoil(([key]) => [[key, 'a%0D%0AX-Evil:%201%1B%5B2J']]),
      );
      if (door.path.startsWith('/consent') || tokens.test(name)) assertSafe(stage, answer, what);
      else assertRefusal(stage, door, answer, what);
      assert.equal(answer.headers['x-evil'], undefined);
    });
  });

  await t.test('takes a[b]=c for a name like any other, not for an object', async () => {
    await eachParameter(stage, async (door, name, spoil) => {
      const answer = await through(
        stage,
        door,
        spoil(([key, value]) => [[`${key}%5Ba%5D`, value]]),
      );
      const what = `${door.name} with ${name}[a]`;
      assertSafe(stage, answer, what);
      if (door.required.includes(name)) assertTold(stage, door, answer, what);
    });
  });

  await t.test('X06: __proto__ and its kind are names like any other', async () => {
    const pairs = ['__proto__', 'constructor', 'prototype', '__proto__[x]', 'toString', 'hasOwnProperty'];
    for (const door of stage.doors.filter(({ place }) => place !== 'json')) {
      const text = rawPairs([...encoded(pairsOf(door)), ...encoded(pairs.map((name) => [name, 'polluted']))]);
      assertSafe(stage, await through(stage, door, text), door.name);
    }
    assert.equal(({} as Record<string, unknown>)['x'], undefined);
    assert.equal({}.toString(), '[object Object]');
  });

  await t.test('reads no more than a hundred parameters, and says so', async () => {
    const many = Array.from({ length: 1500 }, (_, index): Pair => [`p${index}`, '']);
    for (const door of stage.doors.filter(({ format, place }) => format === 'oauth' || place === 'form')) {
      if (door.place === 'json') continue;
      const answer = await through(stage, door, rawPairs([...many, ...encoded(pairsOf(door))]));
      assertRefusal(stage, door, answer, `${door.name} with 1500 more`);
    }
  });

  assertQuiet(stage);
});

/** Words name a parameter as it is spelt; in HTML a quote is an entity. A client is named by its secret or id alike. */
function named(name: string, words: string): boolean {
  return (
    words.includes(name) ||
    words.includes(name.replaceAll('_', ' ')) ||
    (/^client_/.test(name) && /client_id/.test(words))
  );
}
