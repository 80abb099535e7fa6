/** What is good for one use, used a hundred times at once, at two processes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import * as jose from 'jose';
import { PARALLEL_MS } from '../../src/oidc/adapter.ts';
import type { TestApp } from '../support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, PASSWORD, signIn, type TokenAnswer, token } from '../support/flow.ts';
import { inside } from '../support/inside.ts';
import { twoInstances } from '../support/instances.ts';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { createVisitor, type Page } from '../support/visitor.ts';
import { type Proof, pause } from './proof.ts';

type Client = { client_id: string; client_secret: string };
const person = { email: 'ada@example.com', name: 'Ada', password: PASSWORD };
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
/** An answer that is given again later says what is left of its token. */
const AGED_MS = 5000;
const sixDigits = (text: string) => (/\b\d{6}\b/.exec(text) as RegExpExecArray)[0];

const PUBLIC = { token_endpoint_auth_method: 'none' };

interface Size extends Record<string, number> {
  rounds: number;
  parallel: number;
}

/** Sends the n-th of many to one of the processes: with workers they share an address, else each has its own. */
type Where = (n: number) => string;

interface Tried {
  status: number;
  won?: boolean;
  body?: unknown;
}

/** Whoever is told "not now" asks again, as clients do: what was taken by a request that failed would be lost then. */
/** @returns the winner's answer. Who is told to come again asks a second later, and may win. */
async function race<Answer extends Tried>(parallel: number, one: (n: number) => Promise<Answer>): Promise<Answer> {
  const said = new Map<string, number>();
  let asking = Array.from({ length: parallel }, (_each, n) => n);
  const winners: Answer[] = [];
  for (let tries = 0; asking.length > 0 && tries < 10; tries += 1) {
    if (tries > 0) await pause(1000);
    const answers = await Promise.all(asking.map(one));
    for (const { status, body } of answers) {
      const answer = `${status} ${(body as { error_description?: string } | undefined)?.error_description ?? ''}`;
      said.set(answer, (said.get(answer) ?? 0) + 1);
    }
    winners.push(...answers.filter(({ status, won = status === 200 }) => won));
    asking = asking.filter((_n, index) => answers[index]?.status === 503);
  }
  assert.equal(winners.length, 1, `one of ${parallel} wins: ${JSON.stringify([...said])}`);
  return winners[0] as Answer;
}

async function allRaces(issuer: Issuer, where: Where, { rounds, parallel }: Size): Promise<string> {
  const app = issuer as unknown as TestApp;
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  const jwk = await jose.exportJWK(publicKey);
  const made = await inside(issuer, async ({ accounts, clients }) => {
    await accounts.create({ ...person, verified: true });
    const create = async (metadata: object) =>
      (await clients.create({
        source: 'cli',
        metadata: { client_name: 'App', first_party: true, ...metadata },
      })) as unknown as Client;
    const keyed = {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...jwk, alg: 'ES256', kid: 'k' }] },
    };
    return {
      web: await create({ redirect_uris: [CALLBACK] }),
      open: await create({ redirect_uris: [CALLBACK], ...PUBLIC }),
      strict: await create({ redirect_uris: [CALLBACK], ...PUBLIC, refresh_replay_window: 0 }),
      machine: await create({ ...keyed, grant_types: ['client_credentials'], response_types: [], redirect_uris: [] }),
      device: await create({
        ...{ application_type: 'native', token_endpoint_auth_method: 'none', grant_types: [DEVICE, 'refresh_token'] },
        ...{ response_types: [], redirect_uris: [] },
      }),
    };
  });
  const basic = `Basic ${Buffer.from(`${made.web.client_id}:${made.web.client_secret}`).toString('base64')}`;
  const headers = { authorization: basic };
  const at = (n: number) => ({ url: where(n) }) as unknown as TestApp;

  /** `ms`: from the first question to the last answer. */
  async function refreshed(
    client: Client,
    callers = parallel,
  ): Promise<{ first: string; answers: TokenAnswer[]; ms: number }> {
    const { code, verifier } = await freshCode(app, client);
    const exchange = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
    const { body } = await token(app, client, exchange);
    const first = body.refresh_token as string;
    const began = performance.now();
    const answers = await Promise.all(Array.from({ length: callers }, (_each, n) => use(client, first, n)));
    return { first, answers, ms: performance.now() - began };
  }

  const use = (client: Client, refreshToken: string, n = 0) =>
    token(at(n), client, { grant_type: 'refresh_token', refresh_token: refreshToken });

  /**
   * Who comes two seconds after the winner passes for a thief, so a machine that is too slow for a crowd has fewer come at
   * once. @param run gives how long the crowd took in milliseconds, and what has to hold when all came in time.
   */
  async function inTheSameMoments(run: (callers: number) => Promise<[number, () => Promise<void>]>): Promise<void> {
    for (let callers = parallel; ; callers = Math.ceil(callers / 2)) {
      const [ms, judge] = await run(callers);
      if (ms < PARALLEL_MS || callers <= 2) return judge();
    }
  }

  async function lives({ body }: TokenAnswer, n: number): Promise<boolean> {
    const answer = await fetch(`${where(n)}/oauth2/userinfo`, {
      headers: { authorization: `Bearer ${body.access_token}` },
    });
    await answer.arrayBuffer();
    return answer.status === 200;
  }

  const races: Record<string, () => Promise<void>> = {
    async 'refresh token, public client'() {
      const { first, answers, ms } = await refreshed(made.open);
      const alike = ({ status, body }: TokenAnswer) => [status, ms < AGED_MS ? body : { ...body, expires_in: 0 }];
      assert.equal(new Set(answers.map((answer) => JSON.stringify(alike(answer)))).size, 1);
      const successor = answers[0]?.body.refresh_token as string;
      assert.deepEqual([answers[0]?.status, successor === first], [200, false]);
      assert.equal((await use(made.open, successor)).status, 200, 'the successor lives');
    },

    async 'refresh token, window 0'() {
      await inTheSameMoments(async (callers) => {
        const { answers, ms } = await refreshed(made.strict, callers);
        const [winner, ...more] = answers.filter(({ status }) => status === 200);
        assert.equal(more.length, 0);
        assert.ok(answers.every(({ status }) => status === 200 || status === 400));
        const judge = async () => {
          const living = await use(made.strict, winner?.body.refresh_token as string, 1);
          assert.equal(living.status, 200, 'no loser ends what the winner got');
        };
        return [ms, judge];
      });
    },

    async 'refresh token, confidential client'() {
      const { first, answers } = await refreshed(made.web);
      for (const { status, body } of answers) assert.deepEqual([status, body.refresh_token], [200, first]);
    },

    async 'authorization code'() {
      await inTheSameMoments(async (callers) => {
        const { code, verifier } = await freshCode(app, made.web);
        const params = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
        const began = performance.now();
        const won = await race(callers, (n) => token(at(n), made.web, params));
        const ms = performance.now() - began;
        const judge = async () => {
          assert.equal(await lives(won, 0), true, 'no loser ends what the winner got');
          assert.equal(await lives(won, 1), true, 'nor at another instance');
        };
        return [ms, judge];
      });
    },

    async 'PAR request_uri'() {
      const visitor = createVisitor(issuer.url);
      await signIn(visitor, await visitor.open(authorizationRequest(app, made.web.client_id).url), person);
      const body = new URL(authorizationRequest(app, made.web.client_id).url).searchParams;
      const pushed = await fetch(`${issuer.url}/oauth2/par`, { method: 'POST', headers, body });
      const { request_uri: uri } = (await pushed.json()) as { request_uri: string };
      const query = new URLSearchParams({ client_id: made.web.client_id, request_uri: uri });
      const cookie = [...visitor.cookies].map(([key, { value }]) => `${key.split(' ')[0]}=${value}`).join('; ');
      await race(parallel, async (n) => {
        const answer = await fetch(`${where(n)}/oauth2/authorize?${query}`, {
          headers: { cookie },
          redirect: 'manual',
        });
        await answer.arrayBuffer();
        return { status: answer.status, won: /[?&]code=/.test(answer.headers.get('location') ?? '') };
      });
    },

    async 'DPoP proof'() {
      const { code, verifier } = await freshCode(app, made.web);
      const first = await sign({ htm: 'POST', htu: `${issuer.url}/oauth2/token` });
      const params = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
      const { body } = await token(app, made.web, params, { dpop: first });
      const dpop = await sign({
        htm: 'GET',
        htu: `${issuer.url}/oauth2/userinfo`,
        ath: await hashOf(body.access_token),
      });
      await race(parallel, async (n) => {
        const bound = { authorization: `DPoP ${body.access_token}`, dpop };
        return fetch(`${where(n)}/oauth2/userinfo`, { headers: bound });
      });
    },

    async 'client assertion'() {
      const assertion = await new jose.SignJWT({ jti: randomBytes(12).toString('hex') })
        .setProtectedHeader({ alg: 'ES256', kid: 'k' })
        .setIssuer(made.machine.client_id)
        .setSubject(made.machine.client_id)
        .setAudience(issuer.url)
        .setIssuedAt()
        .setExpirationTime('1m')
        .sign(privateKey);
      const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
      const params = { grant_type: 'client_credentials', client_assertion_type: type, client_assertion: assertion };
      const bare = { client_id: made.machine.client_id };
      await race(parallel, (n) => token(at(n), bare, params));
    },

    async 'device code'() {
      const body = new URLSearchParams({ client_id: made.device.client_id, scope: 'openid' });
      const begun = await fetch(`${issuer.url}/oauth2/device_authorization`, { method: 'POST', body });
      const grant = (await begun.json()) as { device_code: string; user_code: string };
      const visitor = createVisitor(issuer.url);
      const confirm = await visitor.submit(await visitor.open('/device'), { user_code: grant.user_code });
      const done = await signIn(visitor, await visitor.submit(confirm, { confirm: 'yes' }), person);
      assert.match(done.url, /\/device\//, `the person agrees: ${done.status} ${done.html.slice(0, 2000)}`);
      const params = { grant_type: DEVICE, device_code: grant.device_code };
      const bare = { client_id: made.device.client_id };
      await race(parallel, (n) => token(at(n), bare, params));
    },

    async 'e-mail code'() {
      const email = `new-${randomBytes(4).toString('hex')}@example.com`;
      const visitor = createVisitor(issuer.url);
      const form = await visitor.open(authorizationRequest(app, made.web.client_id, { prompt: 'create' }).url);
      const page = await visitor.submit(form, { name: 'New', email, password: PASSWORD }, '^/register/');
      const code = sixDigits((await issuer.mail(email)).text);
      await raceForm(visitor, page, { code }, '/verify/[^/]+$');
    },

    async 'reset code'() {
      const visitor = createVisitor(issuer.url);
      const login = await visitor.open(authorizationRequest(app, made.web.client_id).url);
      const forgot = await visitor.open(login.url.replace('/login/', '/forgot/'));
      // Of one address only a few are sent.
      const email = `forgetful-${randomBytes(4).toString('hex')}@example.com`;
      await inside(issuer, ({ accounts }) => accounts.create({ ...person, email, verified: true }));
      const page = await visitor.submit(forgot, { email }, '^/forgot/');
      const code = sixDigits((await issuer.mail(email)).text);
      await raceForm(visitor, page, { code, password: PASSWORD }, '/reset/[^/]+$');
    },
  };

  for (let round = 0; round < rounds; round += 1) {
    for (const [name, run] of Object.entries(races)) {
      await run().catch((error: Error) => {
        error.message = `${name}: ${error.message}`;
        throw error;
      });
    }
  }
  return `one success of ${parallel} (all, before 70 % of a confidential client's life) for ${Object.keys(races).join(', ')}`;

  async function sign(claims: Record<string, string>): Promise<string> {
    return new jose.SignJWT({ ...claims, jti: randomBytes(12).toString('hex') })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .setIssuedAt()
      .sign(privateKey);
  }

  async function raceForm(
    visitor: ReturnType<typeof createVisitor>,
    page: Page,
    values: Record<string, string>,
    which: string,
  ): Promise<void> {
    const { action, body } = visitor.fill(page, values, which);
    const cookie = visitor.cookieFor(action);
    await race(parallel, async (n) => {
      const answer = await fetch(where(n) + new URL(action).pathname, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' },
        body,
      });
      await answer.arrayBuffer();
      return { status: answer.status, won: answer.status === 303 };
    });
  }
}

async function hashOf(accessToken: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(accessToken));
  return Buffer.from(digest).toString('base64url');
}

async function freshCode(app: TestApp, client: Client): Promise<{ code: string; verifier: string }> {
  const visitor = createVisitor(app.url);
  const request = authorizationRequest(app, client.client_id);
  const code = codeOf(await signIn(visitor, await visitor.open(request.url), person)) as string;
  return { code, verifier: request.verifier };
}

export const workers: Proof<Size> = {
  fault: 'one-time values raced at two workers, SQLite',
  promise: 'each succeeds once',
  few: { rounds: 1, parallel: 100 },
  full: { rounds: 20, parallel: 100 },
  async run(t, size) {
    const issuer = await startIssuer(t, { env: { LATCHKEY_WORKERS: '2' } });
    return allRaces(issuer, () => issuer.url, size);
  },
};

export const onPostgres: Proof<Size> = {
  ...workers,
  fault: 'one-time values raced at two instances, PostgreSQL',
  few: { rounds: 1, parallel: 30 },
  run: (t, size) => atInstances(t, size, false),
};

export const onRedis: Proof<Size> = {
  ...workers,
  fault: 'one-time values raced at two instances, PostgreSQL and Redis',
  run: (t, size) => atInstances(t, size, true),
};

async function atInstances(t: TestContext, size: Size, redis: boolean): Promise<string> {
  const [one, two] = await twoInstances(t, { redis });
  return allRaces(one, (n) => (n % 2 === 0 ? one.url : two), size);
}

export const proofs = [workers, onPostgres, onRedis];
