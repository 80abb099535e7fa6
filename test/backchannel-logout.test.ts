/** P31: who had a session is told of its end, durably and outside of the request; and nothing ends another way. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { SYSTEM } from '../src/audit/events.ts';
import { startApp, type TestApp } from './support/app.ts';
import {
  authorizationRequest,
  CALLBACK,
  codeOf,
  PASSWORD,
  type SignedIn,
  signedIn,
  signIn,
  token,
} from './support/flow.ts';
import { type Issuer, startIssuer } from './support/issuer.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { createVisitor } from './support/visitor.ts';

interface Notice {
  token: string;
  contentType: string | undefined;
}

/** A client's server: keeps what it is told, and answers with `status`. */
async function receiver(t: TestContext) {
  const notices: Notice[] = [];
  const state = { status: 200, until: Promise.resolve(), givenUp: 0 };
  const server = createServer(async (req, res) => {
    let body = '';
    for await (const chunk of req) body += chunk;
    const { status, until } = state;
    const logoutToken = new URLSearchParams(body).get('logout_token') ?? '';
    notices.push({ token: logoutToken, contentType: req.headers['content-type'] });
    res.once('close', () => {
      if (!res.writableFinished) state.givenUp += 1;
    });
    await until;
    res.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/logout`;
  async function told(count: number, withinMs = 5000): Promise<Notice[]> {
    for (const end = performance.now() + withinMs; notices.length < count; await sleep(20)) {
      assert.ok(performance.now() < end, `${notices.length} of ${count} notices arrived within ${withinMs} ms`);
    }
    return notices;
  }
  return { url, notices, state, told };
}

const claimsOf = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1] as string, 'base64url').toString());
const listener = (url: string, more: object = {}) => ({
  backchannel_logout_uri: url,
  backchannel_logout_session_required: true,
  ...more,
});
const events = async (app: TestApp, account: string, type: string) =>
  (await app.services.audit.list({ account, type }, 50)).items;
const refreshed = async (app: TestApp, { client, tokens }: Pick<SignedIn, 'client' | 'tokens'>) =>
  (await token(app, client, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token as string })).status;

function contract(name: string, env: () => Promise<Record<string, string>>) {
  describe(`back-channel logout on ${name}`, () => {
    const start = async (t: TestContext) => startApp(t, { env: await env() });

    test('P31: a logout token is what the specification asks for, and fits the ID token', async (t) => {
      const [app, stub] = [await start(t), await receiver(t)];
      const who = await signedIn(app, { client: await app.client(listener(stub.url)) });
      const began = performance.now();
      await app.services.sessions.revokeAll(who.person.id);
      const [notice] = await stub.told(1);
      assert.ok(performance.now() - began < 5000);
      assert.match(String(notice?.contentType), /x-www-form-urlencoded/);
      const { payload, protectedHeader } = await jwtVerify(
        notice?.token as string,
        createRemoteJWKSet(new URL(`${app.url}/.well-known/jwks.json`)),
        { issuer: app.url, audience: who.client.client_id, typ: 'logout+jwt' },
      );
      assert.equal(protectedHeader.alg, 'RS256');
      assert.deepEqual(payload['events'], { 'http://schemas.openid.net/event/backchannel-logout': {} });
      assert.equal(payload['nonce'], undefined);
      assert.ok((payload.exp as number) - (payload.iat as number) <= 120);
      assert.ok(typeof payload.jti === 'string');
      const idToken = claimsOf(who.tokens.id_token as string);
      assert.ok(typeof idToken.sid === 'string');
      assert.deepEqual([payload.sub, payload['sid']], [idToken.sub, idToken.sid]);
      const metadata = (await (await fetch(`${app.url}/.well-known/openid-configuration`)).json()) as object;
      assert.partialDeepStrictEqual(metadata, {
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
      });
    });

    test('a session ends once for each client that had it, in the algorithm of each, and for nobody else', async (t) => {
      const [app, one, two, other] = [await start(t), await receiver(t), await receiver(t), await receiver(t)];
      const here = await signedIn(app, { client: await app.client(listener(one.url)) });
      const elliptic = listener(two.url, {
        id_token_signed_response_alg: 'ES256',
        backchannel_logout_session_required: false,
      });
      await signedIn(app, { person: here.person, visitor: here.visitor, client: await app.client(elliptic) });
      const there = await signedIn(app, {
        person: here.person,
        visitor: createVisitor(app.url),
        client: await app.client(listener(other.url)),
      });
      const [session] = (await app.services.sessions.list(here.person.id)).filter(
        ({ kind, apps }) => kind === 'browser' && apps.length === 2,
      );
      await app.services.sessions.revoke(here.person.id, session?.id as string);
      await one.told(1);
      const [second] = await two.told(1);
      assert.equal(JSON.parse(Buffer.from(second?.token.split('.')[0] as string, 'base64url').toString()).alg, 'ES256');
      assert.equal(claimsOf(second?.token as string).sid, undefined, 'it knows no sid');
      await sleep(300);
      assert.deepEqual([one.notices.length, two.notices.length, other.notices.length], [1, 1, 0]);
      assert.equal(await refreshed(app, there), 200);
    });

    test('every door tells: page, app alone, app removed, password, reset, disabling, deletion, sign-out', async (t) => {
      const [app, stub] = [await start(t), await receiver(t)];
      const client = await app.client(listener(stub.url, { post_logout_redirect_uris: ['http://127.0.0.1:9/bye'] }));
      let told = 0;
      const tells = async (reason: string, end: (who: SignedIn) => Promise<unknown>) => {
        const who = await signedIn(app, { client });
        const { sid } = claimsOf(who.tokens.id_token as string);
        await end(who);
        told += 1;
        const notice = (await stub.told(told)).at(-1);
        assert.equal(claimsOf(notice?.token as string).sid, sid, reason);
        await sleep(100);
        assert.equal(stub.notices.length, told, `${reason}: told once`);
        assert.notEqual(await refreshed(app, who), 200, reason);
        const recorded = await events(app, who.person.id, 'session.ended');
        assert.ok(recorded.length > 0 && recorded.every(({ details }) => details['reason'] === reason), reason);
      };
      const { sessions, accounts, deletion } = app.services;
      await tells('signed_out', async ({ visitor }) =>
        visitor.submit(await visitor.open('/account'), {}, '^/account/sign-out$'),
      );
      await tells('revoked', async ({ person }) => {
        const entry = (await sessions.list(person.id)).find(({ kind }) => kind === 'app');
        await sessions.revoke(person.id, entry?.id as string);
      });
      await tells('app_removed', ({ person }) => sessions.removeApp(person.id, client.client_id));
      await tells('account_disabled', ({ person }) => accounts.disable(person.id));
      await tells('account_deleted', async ({ person }) => deletion.close(await accounts.existing(person.id), SYSTEM));
      await tells('password_changed', async ({ person }) => {
        const elsewhere = await signedIn(app, { person });
        const page = await elsewhere.visitor.open('/account/security/password');
        const words = { current_password: PASSWORD, new_password: 'another long sentence' };
        await elsewhere.visitor.submit(page, words, '/account/security/password$');
      });
      await tells('signed_out', async ({ visitor, tokens }) => {
        const hint = { id_token_hint: tokens.id_token as string };
        await visitor.open(`/oauth2/logout?${new URLSearchParams(hint)}`);
      });
      await tells('signed_out', async ({ visitor }) => {
        await visitor.submit(await visitor.open('/oauth2/logout'), { logout: 'yes' }, 'confirm$');
      });
    });

    test('an app that outlives its browser session is told by the same sid', async (t) => {
      const [app, stub] = [await start(t), await receiver(t)];
      const who = await signedIn(app, { client: await app.client(listener(stub.url)) });
      await app.services.db.run('DELETE FROM sessions WHERE account_id = ?', who.person.id);
      await app.services.sessions.revokeAll(who.person.id);
      const [notice] = await stub.told(1);
      assert.equal(claimsOf(notice?.token as string).sid, claimsOf(who.tokens.id_token as string).sid);
    });

    test('an app that is kept while the rest ends is not told', async (t) => {
      const [app, stub] = [await start(t), await receiver(t)];
      const who = await signedIn(app, { client: await app.client(listener(stub.url)) });
      const entry = (await app.services.sessions.list(who.person.id)).find(({ kind }) => kind === 'app');
      await app.services.sessions.revokeAll(who.person.id, { grant: entry?.id });
      await sleep(500);
      assert.equal(stub.notices.length, 0);
      assert.equal(await refreshed(app, who), 200);
    });

    test('theft: a refresh token repeated after its window ends the grant, tells the client and is recorded', async (t) => {
      const [app, stub] = [await start(t), await receiver(t)];
      const client = await app.client(
        listener(stub.url, { token_endpoint_auth_method: 'none', refresh_replay_window: 0 }),
      );
      const who = await signedIn(app, { client });
      const next = await token(app, client, {
        grant_type: 'refresh_token',
        refresh_token: who.tokens.refresh_token as string,
      });
      assert.equal(next.status, 200);
      // Two seconds and more have passed: so long a repetition is a race that was lost.
      await app.services.db.run('UPDATE refresh_tokens SET consumed_at = consumed_at - 3000');
      assert.equal(await refreshed(app, who), 400);
      assert.equal(await refreshed(app, { client, tokens: next.body }), 400, 'the newest child is dead');
      assert.equal((await events(app, who.person.id, 'refresh.stolen')).length, 1);
      const [ended] = await events(app, who.person.id, 'session.ended');
      assert.deepEqual([ended?.via, ended?.details['reason']], ['protocol', 'token_stolen']);
      assert.ok(ended?.request_id && ended.ip);
      await stub.told(1);
    });

    test('P09: a code that is used twice ends what it gave, with notice and record', async (t) => {
      const [app, stub] = [await start(t), await receiver(t)];
      const client = await app.client(listener(stub.url));
      const first = await signedIn(app, { client });
      const request = authorizationRequest(app, client.client_id);
      const page = await first.visitor.open(request.url);
      const exchange = () =>
        token(app, client, {
          grant_type: 'authorization_code',
          code: codeOf(page) as string,
          redirect_uri: CALLBACK,
          code_verifier: request.verifier,
        });
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
      const tokens = (await exchange()).body;
      assert.equal((await exchange()).status, 400, 'at the same time');
      assert.equal(await refreshed(app, { client, tokens }), 200, 'and no theft');
      t.mock.timers.setTime(Date.now() + 2100);
      assert.equal((await exchange()).status, 400);
      t.mock.timers.reset();
      assert.equal(await refreshed(app, { client, tokens }), 400);
      const [ended] = await events(app, first.person.id, 'session.ended');
      assert.equal(ended?.details['reason'], 'code_replayed');
      await stub.told(1);
    });

    test('a client that revokes its own token ends its grant, and is not told what it knows', async (t) => {
      const [app, stub] = [await start(t), await receiver(t)];
      const who = await signedIn(app, { client: await app.client(listener(stub.url)) });
      const basic = Buffer.from(`${who.client.client_id}:${who.client.client_secret}`).toString('base64');
      const answer = await fetch(`${app.url}/oauth2/revoke`, {
        method: 'POST',
        headers: { authorization: `Basic ${basic}` },
        body: new URLSearchParams({ token: who.tokens.access_token }),
      });
      assert.equal(answer.status, 200);
      assert.notEqual(await refreshed(app, who), 200);
      const list = await app.services.sessions.list(who.person.id);
      assert.deepEqual(
        list.map(({ kind, apps }) => [kind, apps.length]),
        [['browser', 0]],
      );
      const [ended] = await events(app, who.person.id, 'session.ended');
      assert.equal(ended?.details['reason'], 'client_revoked');
      await sleep(300);
      assert.equal(stub.notices.length, 0);
    });

    test('a client that is slow or away holds nobody up, and is told later with the same jti', async (t) => {
      const [app, stub] = [await start(t), await receiver(t)];
      const who = await signedIn(app, { client: await app.client(listener(stub.url)) });
      const page = Promise.withResolvers<void>();
      // It answers when the person has the page: a page that waited for it would come when it is given up.
      Object.assign(stub.state, { status: 503, until: page.promise });
      await who.visitor.submit(await who.visitor.open('/account'), {}, '^/account/sign-out$');
      assert.equal(stub.state.givenUp, 0, 'the page does not wait for the client');
      await stub.told(1);
      page.resolve();
      stub.state.status = 204;
      const [first, second] = await stub.told(2, 8000);
      assert.equal(claimsOf(first?.token as string).jti, claimsOf(second?.token as string).jti);
      await sleep(200);
      assert.deepEqual((await app.services.deadLetters.list({ limit: 5 })).items, []);
    });

    test('a 400 is final: a dead letter that the operator finds', async (t) => {
      const [app, stub] = [await start(t), await receiver(t)];
      const who = await signedIn(app, { client: await app.client(listener(stub.url)) });
      stub.state.status = 400;
      await app.services.sessions.revokeAll(who.person.id);
      await stub.told(1);
      await sleep(1500);
      assert.equal(stub.notices.length, 1);
      const [letter] = (await app.services.deadLetters.list({ state: 'dead', limit: 5 })).items;
      assert.deepEqual([letter?.kind, letter?.attempts], ['logout', 1]);
    });

    test('without the record nothing ends: the page says so and the session goes on', async (t) => {
      const [app, stub] = [await start(t), await receiver(t)];
      const who = await signedIn(app, { client: await app.client(listener(stub.url)) });
      const { db } = app.services;
      await db.run('ALTER TABLE audit_events RENAME TO audit_gone');
      await assert.rejects(app.services.sessions.revokeAll(who.person.id));
      await db.run('ALTER TABLE audit_gone RENAME TO audit_events');
      assert.equal(await refreshed(app, who), 200);
      await sleep(200);
      assert.equal(stub.notices.length, 0);
    });
  });
}

contract('SQLite', async () => ({}));

describe('with PostgreSQL', () => {
  let postgres: TestPostgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());
  contract('PostgreSQL', async () => ({ LATCHKEY_DATABASE_URL: await postgres.database({ prepared: 'start' }) }));
});

/** By "forgot password", because the account was made without one. */
async function choosePassword(issuer: Issuer, email: string): Promise<void> {
  const visitor = createVisitor(issuer.url);
  const login = await visitor.open('/account');
  const forgot = await visitor.open(login.url.replace('/login/', '/forgot/'));
  const reset = await visitor.submit(forgot, { email }, '^/forgot/[^/]+$');
  const code = /\b\d{6}\b/.exec((await issuer.mail(email)).text)?.[0] as string;
  await visitor.submit(reset, { code, password: PASSWORD }, '^/reset/[^/]+$');
}

test('a client that never answers holds up the notices of others once, and no second time', async (t) => {
  const [app, hanging, other] = [await startApp(t), await receiver(t), await receiver(t)];
  hanging.state.until = new Promise(() => {});
  const { person, client } = await signedIn(app, { client: await app.client(listener(hanging.url)) });
  // Three times as many as are delivered at a time.
  const sessions = Array.from({ length: 29 }, () => signedIn(app, { person, client, visitor: createVisitor(app.url) }));
  await Promise.all(sessions);
  const listening = await signedIn(app, { client: await app.client(listener(other.url)) });
  await app.services.sessions.revokeAll(person.id);
  await hanging.told(8);
  await app.services.sessions.revokeAll(listening.person.id);
  await other.told(1, 4500);
  assert.ok(hanging.notices.length <= 12, `${hanging.notices.length} tries`);
  hanging.state.until = Promise.resolve();
  const known = () => new Set(hanging.notices.map(({ token }) => claimsOf(token).jti)).size;
  for (const end = performance.now() + 30_000; known() < 30; await sleep(100)) assert.ok(performance.now() < end);
});

test('what the command line ends is told by the running instance within five seconds', async (t) => {
  const stub = await receiver(t);
  const issuer = await startIssuer(t);
  const client = await issuer.createClient({
    client_name: 'Listener',
    redirect_uris: [CALLBACK],
    backchannel_logout_uri: stub.url,
  });
  const email = 'ada@example.com';
  await issuer.run('users', 'create', '--email', email, '--name', 'Ada', '--verified');
  await choosePassword(issuer, email);
  const visitor = createVisitor(issuer.url);
  const request = authorizationRequest(issuer as never, client.client_id);
  const page = await signIn(visitor, await visitor.open(request.url), { email, password: PASSWORD });
  assert.ok(codeOf(page), page.html.slice(0, 500));
  await issuer.run('sessions', 'revoke', email, '--all');
  await stub.told(1);
  const { items } = JSON.parse((await issuer.run('audit', 'list', '--type', 'session.ended', '--json')).stdout);
  assert.deepEqual([items[0].via, items[0].details.reason], ['cli', 'revoked']);
});
