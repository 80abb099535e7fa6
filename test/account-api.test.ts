/** The account API over HTTP on the whole application: what a person's own data answers, changes and refuses. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ApiUser, apiUser, assertRefused, createApi } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, codeOf, PASSWORD, signIn, somebody, token } from './support/flow.ts';
import { createVisitor } from './support/visitor.ts';

const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';

interface Entry {
  id: string;
  kind: string;
  current: boolean;
}

const refresh = (app: TestApp, { client, tokens }: Pick<ApiUser, 'client' | 'tokens'>) =>
  token(app, client, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token as string });

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

  test('a member that is unknown, misshapen or not the caller’s to change is refused by name', async (t) => {
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
});

describe('sessions', () => {
  test('the list tells where the person is signed in, and marks the entry of the application that asks', async (t) => {
    const app = await startApp(t);
    const { api, person, client } = await apiUser(app);
    const other = createVisitor(app.url, { 'user-agent': CHROME });
    await apiUser(app, { person, client, visitor: other });
    const { body } = await api('GET /api/v1/account/sessions');
    assert.equal(body.next, null);
    const kinds = body.items.map(
      (entry: { kind: string; device: { name: string } }) => `${entry.kind} ${entry.device.name}`,
    );
    assert.equal(kinds.filter((each: string) => each === 'browser Firefox on Linux').length, 1);
    assert.equal(kinds.filter((each: string) => each === 'browser Chrome on Windows').length, 1);
    assert.equal(body.items.filter((entry: { current: boolean }) => entry.current).length, 1);
    assert.equal(body.items[0].current, true);
    assert.equal(body.items[0].kind, 'app');
    assert.deepEqual(
      body.items[0].apps.map((each: { client_id: string }) => each.client_id),
      [client.client_id],
    );
  });

  test('pages by cursor show every entry once, and limit and cursor are checked', async (t) => {
    const app = await startApp(t);
    const { api, person, client } = await apiUser(app);
    for (let times = 0; times < 3; times += 1) await apiUser(app, { person, client });
    const whole = (await api('GET /api/v1/account/sessions')).body.items;
    assert.equal(whole.length, 8);
    const seen: unknown[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await api(`GET /api/v1/account/sessions?limit=3${cursor}`);
      assert.ok(body.items.length <= 3);
      seen.push(...body.items);
      if (body.next === null) break;
      cursor = `&cursor=${encodeURIComponent(body.next)}`;
    }
    assert.deepEqual(seen, whole);
    for (const limit of ['0', '-1', '101', '1.5', 'ten', '1e1', '']) {
      assertRefused(await api(`GET /api/v1/account/sessions?limit=${limit}`), 'invalid_request', [
        'limit: invalid_limit',
      ]);
    }
    for (const cursor of [
      'x',
      'WyJhIl0=',
      Buffer.from('{"a":1}').toString('base64url'),
      Buffer.from('[1,2]').toString('base64url'),
    ]) {
      const answer = await api(`GET /api/v1/account/sessions?cursor=${encodeURIComponent(cursor)}`);
      assertRefused(answer, 'invalid_request', ['cursor: invalid_cursor']);
    }
    assertRefused(await api('GET /api/v1/account/sessions?limit=2&limit=3'), 'invalid_request');
    assertRefused(await api('GET /api/v1/account/sessions?offset=3'), 'invalid_request', ['offset: unknown_field']);
    assertRefused(await api('GET /api/v1/account?verbose=1'), 'invalid_request', ['verbose: unknown_field']);
  });

  test('ending a session kills its tokens at once and leaves the others', async (t) => {
    const app = await startApp(t);
    const one = await apiUser(app);
    const two = await apiUser(app, { person: one.person, client: one.client });
    const [mine] = (await one.api('GET /api/v1/account/sessions')).body.items;
    const { items } = (await two.api('GET /api/v1/account/sessions')).body;
    const [its] = items;
    assert.notEqual(mine.id, its.id);
    await one.api(`DELETE /api/v1/account/sessions/${its.id}`);
    assertRefused(await two.api('GET /api/v1/account'), 'invalid_token');
    const refreshed = await refresh(app, two);
    assert.equal(refreshed.body.error, 'invalid_grant');
    assertRefused(await one.api(`DELETE /api/v1/account/sessions/${its.id}`), 'not_found');
    await one.api(`DELETE /api/v1/account/sessions/${mine.id}`);
    assertRefused(await one.api('GET /api/v1/account'), 'invalid_token');
  });

  test('ending all others keeps the application that asks and nothing else, and must be asked for in words', async (t) => {
    const app = await startApp(t);
    const one = await apiUser(app);
    const two = await apiUser(app, { person: one.person, client: one.client });
    const beside = await apiUser(app, { person: one.person, visitor: one.visitor });
    assertRefused(await one.api('DELETE /api/v1/account/sessions'), 'invalid_request', ['except: required']);
    assertRefused(await one.api('DELETE /api/v1/account/sessions?except=none'), 'invalid_request', [
      'except: invalid_choice',
    ]);
    const kept = (await one.api('GET /api/v1/account/sessions')).body.items.find((entry: Entry) => entry.current);
    await one.api('DELETE /api/v1/account/sessions?except=current');
    for (const ended of [two, beside]) assertRefused(await ended.api('GET /api/v1/account'), 'invalid_token');
    assert.deepEqual((await one.api('GET /api/v1/account/sessions')).body, { items: [kept], next: null });
    const refreshed = await refresh(app, one);
    assert.equal(refreshed.status, 200, JSON.stringify(refreshed.body));
    await createApi(app, refreshed.body.access_token)('GET /api/v1/account');
    for (const { visitor, client } of [one, two]) {
      const page = await visitor.open(authorizationRequest(app, client.client_id).url);
      assert.match(page.url, /\/login\//, 'the browsers are signed out');
    }
    await one.api(`DELETE /api/v1/account/sessions/${kept.id}`);
    assertRefused(await one.api('GET /api/v1/account'), 'invalid_token');
  });

  test('a token of an application without refresh tokens belongs to the browser session', async (t) => {
    const app = await startApp(t);
    const client = await app.client({ grant_types: ['authorization_code'] });
    const one = await apiUser(app, { client });
    const two = await apiUser(app, { person: one.person, client });
    const { items } = (await one.api('GET /api/v1/account/sessions')).body;
    assert.deepEqual(
      items.map((entry: Entry) => [entry.kind, entry.current]),
      [
        ['browser', true],
        ['browser', false],
      ],
    );
    await one.api('DELETE /api/v1/account/sessions?except=current');
    assertRefused(await two.api('GET /api/v1/account'), 'invalid_token');
    assert.deepEqual((await one.api('GET /api/v1/account/sessions')).body.items, [items[0]]);
    assert.ok(
      codeOf(await one.visitor.open(authorizationRequest(app, client.client_id).url)),
      'the browser is signed in',
    );
  });
});

describe('applications', () => {
  test('a removed application is gone with its tokens, and can ask again', async (t) => {
    const app = await startApp(t);
    const { api, person, visitor } = await apiUser(app);
    const shop = await app.client({
      client_name: 'Shop',
      client_uri: 'https://shop.example.com',
      redirect_uris: ['http://127.0.0.1:9/callback'],
    });
    const there = await apiUser(app, { person, visitor, client: shop });
    const { items } = (await api('GET /api/v1/account/apps')).body;
    assert.equal(items.length, 2);
    const entry = items.find((each: { client_id: string }) => each.client_id === shop.client_id);
    assert.equal(entry.name, 'Shop');
    assert.equal(entry.uri, 'https://shop.example.com');
    assert.ok(entry.scopes.includes('account:read'));
    await api(`DELETE /api/v1/account/apps/${shop.client_id}`);
    assertRefused(await there.api('GET /api/v1/account'), 'invalid_token');
    assert.equal((await api('GET /api/v1/account/apps')).body.items.length, 1);
    assertRefused(await api(`DELETE /api/v1/account/apps/${shop.client_id}`), 'not_found');
    assert.ok(codeOf(await visitor.open(authorizationRequest(app, shop.client_id).url)));
  });

  test('pages of applications follow each other by name', async (t) => {
    const app = await startApp(t);
    const { api, person, visitor } = await apiUser(app);
    for (const name of ['beta', 'Alpha', 'Ömega']) {
      await apiUser(app, { person, visitor, client: await app.client({ client_name: name }) });
    }
    const first = (await api('GET /api/v1/account/apps?limit=3')).body;
    const second = (await api(`GET /api/v1/account/apps?limit=3&cursor=${first.next}`)).body;
    const names = [...first.items, ...second.items].map((entry: { name: string }) => entry.name);
    assert.deepEqual(names, ['Alpha', 'beta', 'Test app', 'Ömega']);
    assert.equal(second.next, null);
  });
});

describe('the password', () => {
  test('a change needs the current one, obeys the policy, and tells by mail', async (t) => {
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
  test('somebody else’s ids are not found, whatever they name, and nothing of theirs ends', async (t) => {
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
        for (const id of [...ids, 'nothing', 'x'.repeat(500), '..%2Faccount', "' OR 1=1 --"]) {
          const target = path.replace(/\{[a-z_]+\}/, encodeURIComponent(id));
          assertRefused(await mine.api(`${method.toUpperCase()} ${target}`), 'not_found');
        }
      }
    }
    assert.deepEqual((await theirs.api('GET /api/v1/account/sessions')).body.items, items);
    assert.equal((await theirs.api('GET /api/v1/account')).body.id, theirs.person.id);
  });
});
