/** The account API over HTTP on the whole application: where a person is signed in, connected applications, endings. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ApiUser, apiUser, assertRefused, createApi } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, codeOf, token } from './support/flow.ts';
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
