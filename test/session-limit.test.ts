/** How many sessions a person has at once, on both engines: S08. */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { SYSTEM } from '../src/audit/events.ts';
import { type AppOptions, startApp, type TestApp } from './support/app.ts';
import { authorizationRequest, codeOf, type Person, signedIn, somebody, token } from './support/flow.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { createVisitor } from './support/visitor.ts';

const browsers = async (app: TestApp, { id }: Person) =>
  (await app.services.sessions.list(id)).filter(({ kind }) => kind === 'browser');

/** Up to the answer to the password: following `next` begins the session. */
async function almostSignedIn(app: TestApp, clientId: string, { email, password }: Person) {
  const visitor = createVisitor(app.url);
  const page = await visitor.open(authorizationRequest(app, clientId).url);
  const { action, body } = visitor.fill(page, { email, password }, '^/login/[^/]+$');
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await visitor.request(action, { method: 'POST', headers, body });
  return { visitor, next: answer.headers.get('location') as string };
}

function contract(engine: string, options: () => Promise<AppOptions>): void {
  describe(engine, () => {
    let app: TestApp;
    const hooks: Array<() => Promise<void>> = [];
    const life = { after: (hook: () => Promise<void>) => hooks.push(hook) } as unknown as TestContext;
    before(async () => {
      app = await startApp(life, await options());
    });
    after(async () => {
      for (const hook of hooks) await hook();
    });

    test('S08: sixty sign-ins of a person at the same time leave fifty sessions', async () => {
      const person = await somebody(app);
      const { client_id: id } = await app.client();
      const waiting = [];
      for (let n = 0; n < 60; n += 1) waiting.push(await almostSignedIn(app, id, person));
      assert.equal((await browsers(app, person)).length, 0);
      const ends = await Promise.all(waiting.map(({ visitor, next }) => visitor.open(next)));
      assert.ok(
        ends.every((page) => codeOf(page)),
        'each of them got through',
      );
      assert.equal((await browsers(app, person)).length, 50);
      const { items } = await app.services.audit.list({ account: person.id, type: 'session.ended' }, 100);
      assert.deepEqual([items.length, new Set(items.map(({ details }) => details['reason'])).size], [10, 1]);
    });

    test('S08: the one that ends is the longest unused one, with its application, and the person sees why', async () => {
      const unused = await signedIn(app);
      const { person } = unused;
      const [first] = await browsers(app, person);
      const begin = (name: string, ends: number) =>
        app.services.sessions.begin(
          name,
          { uid: name, accountId: person.id, iat: Math.floor(Date.now() / 1000), exp: Math.floor(ends / 1000) },
          ends,
          { ip: null, userAgent: null },
          SYSTEM,
        );
      for (let n = 0; n < 48; n += 1) await begin(`other${n}`, Date.now() + 86_400_000);
      await begin('is over', Date.now() - 1000);
      const stranger = await signedIn(app);
      const fiftieth = await signedIn(app, { person });
      const ended = async () =>
        (await app.services.audit.list({ account: person.id, type: 'session.ended' }, 9)).items.map(
          ({ session_id, details, via }) => ({ session_id, reason: details['reason'], via }),
        );
      await signedIn(app, { person, visitor: fiftieth.visitor, params: { prompt: 'login' } });
      assert.deepEqual(await ended(), [], 'fifty are allowed, and one that signs in anew is no further one');
      assert.equal((await unused.visitor.open('/account/sessions')).status, 200);
      await app.services.db.run('UPDATE sessions SET last_seen_at = 9 WHERE uid = ?', first?.id);
      const next = await signedIn(app, { person });
      assert.deepEqual(await ended(), [{ session_id: first?.id, reason: 'too_many', via: 'protocol' }]);
      assert.match((await unused.visitor.open('/account')).url, /\/login\//);
      const asked = await fetch(`${app.url}/oauth2/userinfo`, {
        headers: { authorization: `Bearer ${unused.tokens.access_token}` },
      });
      assert.equal(asked.status, 401);
      assert.match((await next.visitor.open('/account/events')).html, /Too many sessions at once/);
      assert.equal((await browsers(app, stranger.person)).length, 1);
    });

    test('S08: a session whose application refreshes is in use, however long its browser was not there', async () => {
      const { db } = app.services;
      const used = await signedIn(app);
      const { person } = used;
      const unused = await signedIn(app, { person });
      const [ofUnused, ofUsed] = await browsers(app, person);
      const now = Math.floor(Date.now() / 1000);
      for (let n = 0; n < 48; n += 1) {
        const session = { uid: `${person.id} ${n}`, accountId: person.id, iat: now, exp: now + 86_400 };
        const nobody = { ip: null, userAgent: null };
        await app.services.sessions.begin(session.uid, session, Date.now() + 86_400_000, nobody, SYSTEM);
      }
      for (const [seenAt, uid] of [
        [9, ofUsed?.id],
        [10, ofUnused?.id],
      ] as const) {
        await db.run('UPDATE sessions SET last_seen_at = ? WHERE uid = ?', seenAt, uid);
        await db.run('UPDATE grants SET last_seen_at = ? WHERE session_uid = ?', seenAt, uid);
      }
      const refresh = ({ client, tokens }: typeof used) =>
        token(app, client, { grant_type: 'refresh_token', refresh_token: tokens.refresh_token as string });
      assert.equal((await refresh(used)).status, 200);
      await signedIn(app, { person });
      const { items } = await app.services.audit.list({ account: person.id, type: 'session.ended' }, 9);
      assert.deepEqual(
        items.map(({ session_id }) => session_id),
        [ofUnused?.id],
      );
      assert.equal((await refresh(used)).status, 200);
      assert.equal((await refresh(unused)).body.error, 'invalid_grant');
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
  contract('PostgreSQL', async () => ({
    env: { LATCHKEY_DATABASE_URL: await postgres.database({ prepared: 'start' }) },
  }));
});
