/** Refresh tokens under races, repetitions and theft, on each set of backends. */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { startApp, type TestApp } from './support/app.ts';
import { type SignedIn, signedIn, token } from './support/flow.ts';
import { startPostgres, type TestPostgres } from './support/postgres.ts';
import { startRedis, type TestRedis } from './support/redis.ts';

const PUBLIC = { token_endpoint_auth_method: 'none' };
const DAY_MS = 86_400_000;

type Start = (t: TestContext) => Promise<TestApp>;

const refresh = (app: TestApp, { client }: Pick<SignedIn, 'client'>, refreshToken: string, headers = {}) =>
  token(app, client, { grant_type: 'refresh_token', refresh_token: refreshToken }, headers);

async function alive(app: TestApp, who: SignedIn, refreshToken: string): Promise<boolean> {
  return (await refresh(app, who, refreshToken)).status === 200;
}

function refreshContract(name: string, start: Start): void {
  describe(`refresh tokens on ${name}`, () => {
    test('P13: 100 parallel uses of a public client get one answer, and one successor lives', async (t) => {
      const app = await start(t);
      const who = await signedIn(app, { client: await app.client(PUBLIC) });
      const first = who.tokens.refresh_token as string;
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() }); // however busy the machine is, none is late
      const answers = await Promise.all(Array.from({ length: 100 }, () => refresh(app, who, first)));
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
      assert.equal(new Set(answers.map(({ body }) => JSON.stringify(body))).size, 1);
      const living = await app.services.db.all('SELECT id FROM refresh_tokens WHERE consumed_at IS NULL');
      assert.equal(living.length, 1);
      assert.ok(await alive(app, who, answers[0]?.body.refresh_token as string));
    });

    test('with the window at 0 one of 100 succeeds, and no loser ends what the winner got', async (t) => {
      const app = await start(t);
      const who = await signedIn(app, { client: await app.client({ ...PUBLIC, refresh_replay_window: 0 }) });
      const first = who.tokens.refresh_token as string;
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
      const answers = await Promise.all(Array.from({ length: 100 }, () => refresh(app, who, first)));
      const winners = answers.filter(({ status }) => status === 200);
      assert.equal(winners.length, 1);
      for (const { status, body } of answers) if (status !== 200) assert.equal(body.error, 'invalid_grant');
      const next = winners[0]?.body.refresh_token as string;
      assert.equal((await refresh(app, who, first)).body.error, 'invalid_grant', 'who comes a moment later');
      const living = await refresh(app, who, next);
      assert.equal(living.status, 200, 'and ends nothing');
      t.mock.timers.setTime(Date.now() + 3000);
      assert.equal((await refresh(app, who, next)).body.error, 'invalid_grant');
      assert.equal(await alive(app, who, living.body.refresh_token as string), false, 'later it is theft');
    });

    test('a lost answer can be fetched again, also from another instance and after a restart', async (t) => {
      const app = await start(t);
      const who = await signedIn(app, { client: await app.client(PUBLIC) });
      const first = who.tokens.refresh_token as string;
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() }); // however busy the machine is, none is late
      const one = await refresh(app, who, first);
      const two = await refresh(app, who, first);
      assert.deepEqual(two.body, one.body);
      assert.match(String(two.headers.get('cache-control')), /no-store/);
    });

    test('a repeated answer says what is left of its access token, not what it lived at first', async (t) => {
      const app = await start(t);
      const who = await signedIn(app, { client: await app.client(PUBLIC) });
      const first = who.tokens.refresh_token as string;
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
      const one = (await refresh(app, who, first)).body as unknown as { expires_in: number };
      t.mock.timers.setTime(Date.now() + 6000);
      const two = (await refresh(app, who, first)).body as unknown as { expires_in: number };
      const later = one.expires_in - two.expires_in;
      assert.ok(later >= 5 && later < 10, `${later} s less`);
      assert.deepEqual({ ...two, expires_in: one.expires_in }, one, 'all else is the same');
    });

    test('P12: a repetition after the window is theft and ends the grant', async (t) => {
      const app = await start(t);
      const who = await signedIn(app, { client: await app.client(PUBLIC) });
      const first = who.tokens.refresh_token as string;
      const next = (await refresh(app, who, first)).body;
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 12_000 });
      assert.equal((await refresh(app, who, first)).body.error, 'invalid_grant');
      assert.equal(await alive(app, who, next.refresh_token as string), false);
      const userinfo = await fetch(`${app.url}/oauth2/userinfo`, {
        headers: { authorization: `Bearer ${next.access_token}` },
      });
      assert.equal(userinfo.status, 401);
    });

    test('the window is kept to the millisecond, and a repetition just behind it ends nothing', async (t) => {
      const app = await start(t);
      const who = await signedIn(app, { client: await app.client(PUBLIC) });
      const first = who.tokens.refresh_token as string;
      // The end of a second: whole seconds would make the window one second shorter.
      const used = Math.ceil(Date.now() / 1000) * 1000 + 940;
      t.mock.timers.enable({ apis: ['Date'], now: used });
      const next = (await refresh(app, who, first)).body;
      const at = async (ms: number) => {
        t.mock.timers.setTime(used + ms);
        return (await refresh(app, who, first)).body;
      };
      assert.equal((await at(9999)).refresh_token, next.refresh_token, 'inside');
      assert.equal((await at(10_000)).refresh_token, next.refresh_token, 'came inside, and is looked at behind it');
      // A request that is looked at then came some milliseconds before, on a busy machine some hundred.
      assert.equal((await at(10_950)).error, 'invalid_grant', 'just behind it');
      t.mock.timers.setTime(used);
      assert.equal(await alive(app, who, next.refresh_token as string), true, 'no theft');
    });

    test('P13: a spent token in the hands of another client ends the grant, inside the window too', async (t) => {
      const app = await start(t);
      const who = await signedIn(app, { client: await app.client(PUBLIC) });
      const thief = { client: await app.client(PUBLIC) };
      const first = who.tokens.refresh_token as string;
      const next = (await refresh(app, who, first)).body;
      assert.equal((await refresh(app, thief, first)).body.error, 'invalid_grant');
      assert.equal(await alive(app, who, next.refresh_token as string), false);
    });

    test('a confidential client keeps its token before 70 % of its life, and rotates late with a window of its own', async (t) => {
      const app = await start(t);
      const who = await signedIn(app);
      const first = who.tokens.refresh_token as string;
      const early = await Promise.all(Array.from({ length: 100 }, () => refresh(app, who, first)));
      for (const { status, body } of early) assert.deepEqual([status, body.refresh_token], [200, first]);
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 5 * DAY_MS });
      const late = await Promise.all(Array.from({ length: 20 }, () => refresh(app, who, first)));
      const successors = new Set(late.map(({ body }) => body.refresh_token));
      assert.equal(successors.size, 1);
      assert.ok(!successors.has(first));
      t.mock.timers.setTime(Date.now() + 50_000);
      assert.equal((await refresh(app, who, first)).body.refresh_token, [...successors][0]);
      t.mock.timers.setTime(Date.now() + 20_000);
      assert.equal((await refresh(app, who, first)).body.error, 'invalid_grant');
    });

    test('ending the session ends the repetition, too', async (t) => {
      const app = await start(t);
      const who = await signedIn(app, { client: await app.client(PUBLIC) });
      const first = who.tokens.refresh_token as string;
      await refresh(app, who, first);
      await app.services.sessions.revokeAll(who.person.id);
      assert.equal((await refresh(app, who, first)).body.error, 'invalid_grant');
    });

    test('P14: a chain ends after 7 days without use, and after 90 days however used', async (t) => {
      const app = await start(t);
      const who = await signedIn(app, { client: await app.client(PUBLIC) });
      let current = who.tokens.refresh_token as string;
      const start_ = Date.now();
      t.mock.timers.enable({ apis: ['Date'], now: start_ });
      for (let day = 5; day < 90; day += 5) {
        t.mock.timers.setTime(start_ + day * DAY_MS);
        const answer = await refresh(app, who, current);
        assert.equal(answer.status, 200, `day ${day}`);
        current = answer.body.refresh_token as string;
      }
      t.mock.timers.setTime(start_ + 90 * DAY_MS + 60_000);
      assert.equal(await alive(app, who, current), false);
      const idle = await signedIn(app, { client: await app.client(PUBLIC) });
      t.mock.timers.setTime(start_ + 98 * DAY_MS);
      assert.equal(await alive(app, idle, idle.tokens.refresh_token as string), false);
    });
  });
}

refreshContract('SQLite', (t) => startApp(t));

describe('with servers', () => {
  let postgres: TestPostgres;
  let redis: TestRedis;
  before(async () => {
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  });
  after(async () => {
    await Promise.all([postgres.stop(), redis.stop()]);
  });
  refreshContract('PostgreSQL and Redis', async (t) =>
    startApp(t, {
      env: { LATCHKEY_DATABASE_URL: await postgres.database({ prepared: 'start' }), LATCHKEY_REDIS_URL: redis.url },
    }),
  );
});
