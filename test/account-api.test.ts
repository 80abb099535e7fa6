/** The account API over HTTP on the whole application: the profile, the password, and whose data it is. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { OPERATIONS } from '../src/api/operations.ts';
import { apiUser, assertRefused, createApi } from './support/account-api.ts';
import { startApp } from './support/app.ts';
import { authorizationRequest, codeOf, PASSWORD, signIn, somebody } from './support/flow.ts';
import { createVisitor } from './support/visitor.ts';

describe('the profile', () => {
  test('a bearer token reads the account it is about, and HEAD answers the same without a body', async (t) => {
    const app = await startApp(t);
    const { api, person, tokens } = await apiUser(app);
    const { body } = await api('GET /api/v1/account');
    assert.equal(body.id, person.id);
    assert.equal(body.email, person.email);
    assert.equal(body.email_verified, true);
    assert.equal(body.name, person.name);
    assert.equal(body.picture, null);
    assert.ok(Math.abs(Date.parse(body.created_at) - Date.now()) < 60_000);
    assert.equal(body.password_changed_at, body.created_at);

    const head = await fetch(`${app.url}/api/v1/account`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    assert.equal(head.status, 200);
    assert.equal(head.headers.get('cache-control'), 'no-store');
    assert.equal(await head.text(), '');
    assert.equal((await fetch(`${app.url}/api/v1/account`, { method: 'HEAD' })).status, 401);
  });

  test('a change takes the given members, null clears one, and the others stay', async (t) => {
    const app = await startApp(t);
    const { api, person } = await apiUser(app);
    const all = {
      name: 'Zoë 🦉',
      given_name: 'Zoë',
      family_name: 'Ó Sé',
      preferred_username: 'zoe',
      picture: 'https://images.example.com/zoe.png?size=2',
      locale: 'fr-CA',
      zoneinfo: 'America/Montreal',
    };
    const changed = await api('PATCH /api/v1/account', { json: all });
    assert.deepEqual({ ...changed.body, ...all }, changed.body);
    const cleared = await api('PATCH /api/v1/account', { json: { picture: null, name: '🦉'.repeat(200) } });
    assert.equal(cleared.body.picture, null);
    assert.equal(cleared.body.name, '🦉'.repeat(200));
    assert.equal(cleared.body.locale, 'fr-CA');
    assert.deepEqual((await api('GET /api/v1/account')).body, cleared.body);
    assert.equal(cleared.body.email, person.email);
  });

  test('X05: a member that is unknown, misshapen or not the caller’s to change is refused by name', async (t) => {
    const app = await startApp(t);
    const { api } = await apiUser(app);
    const earlier = (await api('GET /api/v1/account')).body;
    const refused: Array<[unknown, string[]]> = [
      [{ nickname: 'x' }, ['nickname: unknown_field']],
      [
        { email: 'evil@example.com', email_verified: true, id: 'usr_1', status: 'x' },
        ['email', 'email_verified', 'id', 'status'].map((name) => `${name}: unknown_field`),
      ],
      [{ name: 5, locale: ['en'] }, ['name: invalid_type', 'locale: invalid_type']],
      [{ name: 'x'.repeat(201) }, ['name: too_long']],
      [{ name: '🦉'.repeat(201) }, ['name: too_long']],
      [{ picture: `https://example.com/${'x'.repeat(1000)}` }, ['picture: too_long']],
      ...[
        'http://example.com/a.png',
        'javascript:alert(1)',
        'https:/',
        'https://',
        'https://u:p@example.com/',
        'https://a b/',
        'data:,x',
        '',
      ].map((picture): [unknown, string[]] => [{ picture }, ['picture: invalid_url']]),
      ...['en_GB', 'x', 'englishlanguage', ''].map((locale): [unknown, string[]] => [
        { locale },
        ['locale: invalid_locale'],
      ]),
      ...['Mars/Base', '+01:00', 'Europe', ''].map((zoneinfo): [unknown, string[]] => [
        { zoneinfo },
        ['zoneinfo: invalid_time_zone'],
      ]),
      [{ name: 'a\nb' }, ['name: invalid_characters']],
      [{ name: 'a\0b' }, ['name: invalid_characters']],
      [[], [': invalid_type']],
      ['text', [': invalid_type']],
      [null, [': invalid_type']],
    ];
    for (const [json, faults] of refused)
      assertRefused(await api('PATCH /api/v1/account', { json }), 'invalid_request', faults);
    assert.deepEqual((await api('GET /api/v1/account')).body, earlier, 'nothing of a refused change is kept');
  });

  test('a body that is broken, too long, doubled or of another type is refused and pollutes nothing', async (t) => {
    const app = await startApp(t);
    const { api } = await apiUser(app);
    const send = (body: string | Buffer, type = 'application/json') =>
      api('PATCH /api/v1/account', { body, headers: { 'content-type': type } });
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      assertRefused(await send(`{"name":"x","${key}":{"polluted":true}}`), 'invalid_request', [
        `${key}: unknown_field`,
      ]);
    }
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    assertRefused(await send('{"name":"a","name":"b"}'), 'invalid_request', ['name: doubled']);
    assertRefused(await send('{"name":'), 'invalid_request');
    assertRefused(await send(''), 'invalid_request');
    assertRefused(await send(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])), 'invalid_request');
    assertRefused(await send(JSON.stringify({ name: 'x'.repeat(70_000) })), 'body_too_large');
    assertRefused(await send('name=x', 'application/x-www-form-urlencoded'), 'unsupported_media_type');
    assertRefused(await send('{"name":"x"}', 'text/plain'), 'unsupported_media_type');
    assertRefused(await send('{"name":"x"}', 'application/json; charset=latin1'), 'unsupported_media_type');
  });

  test('no JSON whatever is a fault of the server, and what is accepted is what is answered', async (t) => {
    const app = await startApp(t);
    const { api } = await apiUser(app);
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('en', 'Europe/Paris', 'https://example.com/', '\ud800'),
    );
    const member = fc.oneof(text, fc.jsonValue({ maxDepth: 2 }));
    const names = ['name', 'given_name', 'picture', 'locale', 'zoneinfo'];
    const profile = fc.dictionary(
      fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: fc.string() }),
      member,
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof({ weight: 4, arbitrary: profile }, fc.jsonValue()), async (json) => {
        const { status, body } = await api('PATCH /api/v1/account', { json });
        if (status !== 200) return assert.equal(body.code, 'invalid_request', JSON.stringify(json));
        for (const [name, value] of Object.entries(json as Record<string, string | null>)) {
          assert.equal(body[name], value?.normalize('NFC').trim() || null);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('the password', () => {
  test('A15: a change needs the current one, obeys the policy, and tells by mail', async (t) => {
    const app = await startApp(t);
    const { api, person } = await apiUser(app);
    const change = (json: unknown) => api('POST /api/v1/account/password', { json });
    const next = 'four quiet herons waiting';
    assertRefused(await change({ current_password: 'not this one at all', new_password: next }), 'invalid_request', [
      'current_password: password_wrong',
    ]);
    assertRefused(await change({ current_password: PASSWORD, new_password: 'short' }), 'weak_password');
    assertRefused(await change({ current_password: PASSWORD, new_password: person.email }), 'weak_password');
    assertRefused(await change({ new_password: next }), 'invalid_request', ['current_password: required']);
    assertRefused(await change({ current_password: PASSWORD, new_password: next, force: true }), 'invalid_request', [
      'force: unknown_field',
    ]);
    assertRefused(await change({ current_password: PASSWORD, new_password: 'x'.repeat(5000) }), 'invalid_request', [
      'new_password: too_long',
    ]);
    assert.equal(app.mails().length, 0);

    await change({ current_password: PASSWORD, new_password: next });
    assert.match((await app.mail(person.email)).text, /password/i);
    const visitor = createVisitor(app.url);
    const client = await app.client();
    const page = await visitor.open(authorizationRequest(app, client.client_id).url);
    assert.equal(codeOf(await signIn(visitor, page, person)), null, 'the old one signs nobody in');
    const again = await visitor.open(authorizationRequest(app, client.client_id).url);
    assert.ok(codeOf(await signIn(visitor, again, { ...person, password: next })));
  });

  test('every other session ends with the old password, the caller’s goes on', async (t) => {
    const app = await startApp(t);
    const one = await apiUser(app);
    const two = await apiUser(app, { person: one.person, client: one.client });
    await one.api('POST /api/v1/account/password', {
      json: { current_password: PASSWORD, new_password: 'four quiet herons waiting' },
    });
    assertRefused(await two.api('GET /api/v1/account'), 'invalid_token');
    await one.api('GET /api/v1/account');
  });
});

describe('two people', () => {
  test('X05: somebody else’s ids are not found, whatever they name, and nothing of theirs ends', async (t) => {
    const app = await startApp(t);
    const mine = await apiUser(app);
    const theirs = await apiUser(app, {
      person: await somebody(app),
      client: await app.client({ client_name: 'Theirs' }),
    });
    const { items } = (await theirs.api('GET /api/v1/account/sessions')).body;
    const ids = [...items.map((entry: { id: string }) => entry.id), theirs.client.client_id, theirs.person.id];
    assert.ok(ids.length >= 4);
    const document = await (await createApi(app)('GET /openapi.json')).body;
    const routes = Object.entries(document.paths as Record<string, object>).filter(([path]) => path.includes('{'));
    assert.ok(routes.length >= 2);
    for (const [path, methods] of routes) {
      for (const method of Object.keys(methods)) {
        // A set-up under way is told to have expired, whoever's it is.
        const refusal = path.endsWith('/totp/{id}') ? 'code_expired' : 'not_found';
        for (const id of [...ids, 'nothing', 'x'.repeat(500), '..%2Faccount', "' OR 1=1 --"]) {
          const target = path.replace(/\{[a-z_]+\}/, encodeURIComponent(id));
          const json = OPERATIONS.find((each) => each.path === path && each.method === method)?.body?.example;
          assertRefused(await mine.api(`${method.toUpperCase()} ${target}`, { json }), refusal);
        }
      }
    }
    assert.deepEqual((await theirs.api('GET /api/v1/account/sessions')).body.items, items);
    assert.equal((await theirs.api('GET /api/v1/account')).body.id, theirs.person.id);
  });
});
