/** Roles: who has them is asked for two factors where the file says so, sessions begun before too; and applications read
 * them. On both engines. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { OPERATOR } from '../src/audit/events.ts';
import { assertRefused, createApi, SCOPE } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { codesOn, enrolled, oath, oathBefore, secondStep, secretOn } from './support/factors.ts';
import {
  authorizationRequest,
  codeOf,
  FIREFOX,
  type Person,
  signedIn,
  signIn,
  somebody,
  token,
} from './support/flow.ts';
import { startOn } from './support/one-app.ts';
import { answer, optionsFor, signInPage, withPasskey } from './support/passkeys.ts';
import { createVisitor, type Page, type Visitor } from './support/visitor.ts';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const NEXT_PASSWORD = 'four quiet herons waiting';
const CONFIG = `roles:
  - { name: admin, description: Runs the shop, require_second_factor: true }
  - { name: guest }
`;

const errorOf = (page: Page) => new URL(page.url).searchParams.get('error');
const pathOf = (page: Page) => new URL(page.url).pathname;
const asksForSetUp = (page: Page) => /^\/login\/[^/]+\/protect$/.test(pathOf(page));

function give(app: TestApp, { id }: Pick<Person, 'id'>, ...roles: string[]) {
  return app.services.roles.change(id, { add: roles, remove: [] }, OPERATOR);
}

async function withRole(app: TestApp, ...roles: string[]): Promise<Person> {
  const person = await somebody(app);
  await give(app, person, ...roles);
  return person;
}

/** From the page that asks for a factor to be set up to where the application waits. */
async function setUp(visitor: Visitor, protect: Page): Promise<{ done: Page; secret: string }> {
  const shown = await visitor.open(`${protect.url}/totp`);
  const secret = secretOn(shown);
  const saved = await visitor.submit(shown, { code: await oathBefore(secret) }, '/protect/totp$');
  const codes = await visitor.submit(saved, {}, '/protect/recovery$');
  assert.equal(codesOn(codes).length, 10);
  return { done: await visitor.submit(codes, {}, '/done$'), secret };
}

for (const engine of ['SQLite', 'PostgreSQL']) {
  test(engine, async (t) => {
    const app = await startOn(t, engine, { env: { LATCHKEY_EMAIL_SIGN_IN: 'allowed' }, config: CONFIG });
    const firefox = () => createVisitor(app.url, { 'user-agent': FIREFOX });

    await t.test('a factor is demanded of who has the role, and of nobody else', async () => {
      const { page: guest } = await secondStep(app, await withRole(app, 'guest'));
      assert.ok(codeOf(guest));
      const person = await withRole(app, 'admin', 'guest');
      const { visitor, page } = await secondStep(app, person);
      assert.ok(asksForSetUp(page), page.url);
      assert.match((await visitor.open('/account')).url, /\/login\//, 'nothing here is a session yet');
      const { done } = await setUp(visitor, page);
      assert.ok(codeOf(done));
      assert.match((await secondStep(app, person)).page.url, /\/totp$/);
    });

    await t.test('after a mailed code, and after a reset of the password', async () => {
      const person = await withRole(app, 'admin');
      const code = async (subject: RegExp) =>
        /\b[0-9]{6}\b/.exec((await app.mail(person.email, (mail) => subject.test(mail.subject))).text)?.[0] as string;
      const mailed = firefox();
      const form = await mailed.open(authorizationRequest(app, (await app.client()).client_id).url);
      const { action, body } = mailed.fill(form, { email: person.email }, '^/login/[^/]+$');
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const waiting = await mailed.open(`${action}/email`, { method: 'POST', headers, body });
      assert.ok(asksForSetUp(await mailed.submit(waiting, { code: await code(/sign-in code/) }, '/email/code$')));

      const visitor = firefox();
      const forgot = await visitor.open((await visitor.open('/account')).url.replace('/login/', '/forgot/'));
      const reset = await visitor.submit(forgot, { email: person.email }, '/forgot/');
      const proof = { code: await code(/new password/), password: NEXT_PASSWORD };
      const back = await visitor.submit(reset, proof, '/reset/[^/]+$');
      assert.ok(asksForSetUp(await signIn(visitor, back, { ...person, password: NEXT_PASSWORD })));
    });

    await t.test('in the device flow, by the session of before too', async () => {
      const client = await app.client({ grant_types: ['authorization_code', DEVICE_GRANT] });
      const basic = Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64');
      const { visitor, person } = await signedIn(app);
      await give(app, person, 'admin');
      const asked = await fetch(`${app.url}/oauth2/device_authorization`, {
        method: 'POST',
        headers: { authorization: `Basic ${basic}` },
        body: new URLSearchParams({ scope: 'openid' }),
      });
      const device = (await asked.json()) as Record<string, string>;
      const page = await visitor.open(device['verification_uri_complete'] as string);
      const protect = await visitor.submit(page, { confirm: 'yes' }, '/device');
      assert.ok(asksForSetUp(protect), protect.url);
      const poll = { grant_type: DEVICE_GRANT, device_code: device['device_code'] as string };
      assert.equal((await token(app, client, poll)).body.error, 'authorization_pending');
    });

    await t.test('a passkey meets it, and so does a browser that was remembered after a second factor', async () => {
      const { person, client, authenticator } = await withPasskey(app);
      await give(app, person, 'admin');
      const { visitor, page } = await signInPage(app, client.client_id);
      assert.ok(codeOf(await answer(visitor, page, authenticator.get(await optionsFor(visitor, page)))));

      const other = await enrolled(app);
      await give(app, other, 'admin');
      const first = await secondStep(app, other);
      const browser = first.visitor;
      assert.ok(codeOf(await browser.submit(first.page, { code: oath(other.secret), remember: 'yes' }, '/totp$')));
      const again = await secondStep(app, other, { visitor: browser, params: { prompt: 'login' } });
      assert.ok(codeOf(again.page), again.page.url);
      const silent = authorizationRequest(app, again.client.client_id, { prompt: 'none' });
      assert.ok(codeOf(await browser.open(silent.url)), 'and its session goes on');
      assert.equal(pathOf(await browser.open('/account')), '/account');
      const [remembered] = await app.services.remembered.list(other.id);
      await app.services.remembered.forget(other.id, remembered?.id as string, OPERATOR);
      assert.equal(errorOf(await browser.open(silent.url)), 'login_required');
    });

    await t.test('whoever gets the role while signed in is asked at the next step, and refreshes on', async () => {
      const user = await signedIn(app, { scope: `${SCOPE} offline_access` });
      const { visitor, client, person } = user;
      const api = createApi(app, user.tokens.access_token);
      assert.equal((await api('GET /api/v1/account')).status, 200);
      assert.equal(pathOf(await visitor.open('/account')), '/account');
      await give(app, person, 'admin');

      const silent = authorizationRequest(app, client.client_id, { prompt: 'none' });
      assert.equal(errorOf(await visitor.open(silent.url)), 'login_required');
      const refused = await api('GET /api/v1/account');
      assertRefused(refused, 'second_factor_required');
      const challenge = String(refused.headers.get('www-authenticate'));
      assert.match(challenge, /error="insufficient_user_authentication"/);
      assert.match(challenge, /acr_values="urn:latchkey:mfa"/);
      const byCookie = createApi(app);
      assertRefused(await byCookie('GET /api/v1/account', { send: visitor.request }), 'second_factor_required');
      const grant = { grant_type: 'refresh_token', refresh_token: user.tokens.refresh_token as string };
      const refreshed = await token(app, client, grant);
      assert.equal(refreshed.status, 200);
      assertRefused(
        await createApi(app, refreshed.body.access_token)('GET /api/v1/account/sessions'),
        'second_factor_required',
      );

      const protect = await visitor.open('/account/security');
      assert.ok(asksForSetUp(protect), protect.url);
      const { done } = await setUp(visitor, protect);
      assert.equal(pathOf(done), '/account/security', 'back where the person wanted to go');
      assert.ok(codeOf(await visitor.open(silent.url)));
      assert.ok(codeOf(await visitor.open(`${silent.url}&acr_values=urn:latchkey:mfa`)));
      await app.services.db.run(
        'UPDATE sessions SET last_seen_at = last_seen_at - 3700000 WHERE account_id = ?',
        person.id,
      );
      const rested = await visitor.open(`${silent.url}&acr_values=urn:latchkey:mfa`);
      assert.equal(errorOf(rested), 'unmet_authentication_requirements', 'S01: unused for an hour');
      assert.equal((await byCookie('GET /api/v1/account', { send: visitor.request })).status, 200);
    });

    await t.test('without a factor one can leave, but not stay', async () => {
      const { visitor, person } = await signedIn(app);
      const page = await visitor.open('/account/sessions');
      await give(app, person, 'admin');
      assert.match(pathOf(await visitor.submit(page, {}, '/account/sign-out$')), /signed-out$/);
      assert.match((await visitor.open('/account')).html, /name="password"/);
    });

    await t.test('applications read the roles that count, where they may', async () => {
      const person = await withRole(app, 'guest');
      await app.services.db.run(
        'INSERT INTO account_roles (account_id, role, since) VALUES (?, ?, ?)',
        person.id,
        'of-last-year',
        1,
      );
      const rolesFor = async (scope: string, client?: Awaited<ReturnType<TestApp['client']>>, params = {}) => {
        const user = await signedIn(app, { person, scope, params, ...(client ? { client } : {}) });
        const headers = { authorization: `Bearer ${user.tokens.access_token}` };
        const userinfo = (await (await fetch(`${app.url}/oauth2/userinfo`, { headers })).json()) as { roles?: unknown };
        return [decodeJwt(user.tokens.id_token as string)['roles'], userinfo.roles];
      };
      assert.deepEqual(await rolesFor('openid roles'), [['guest'], ['guest']]);
      assert.deepEqual(await rolesFor('openid profile'), [undefined, undefined]);
      const claims = JSON.stringify({ id_token: { roles: null }, userinfo: { roles: null } });
      const narrow = await app.client({ scope: 'openid profile' });
      assert.deepEqual(await rolesFor('openid profile', narrow, { claims }), [undefined, undefined]);
      const nobody = await signedIn(app, { scope: 'openid roles' });
      assert.deepEqual(decodeJwt(nobody.tokens.id_token as string)['roles'], []);
    });

    await t.test(
      'what is stored belongs to the person: in the export, in the record, gone with the account',
      async () => {
        const person = await withRole(app, 'guest');
        await give(app, person, 'guest');
        const { items } = await app.services.audit.list({ account: person.id, type: 'roles.changed' }, 10);
        assert.deepEqual(
          items.map(({ via, details }) => [via, details]),
          [['cli', { added: ['guest'], removed: [] }]],
          'a change that changes nothing is none',
        );
        const account = await app.services.accounts.byId(person.id);
        const data = await app.services.personalData.of(account as never, OPERATOR);
        assert.deepEqual(
          (data as unknown as { roles: Array<{ name: string }> }).roles.map(({ name }) => name),
          ['guest'],
        );
        await app.services.deletion.remove(person.id, OPERATOR);
        assert.deepEqual(await app.services.db.all('SELECT * FROM account_roles WHERE account_id = ?', person.id), []);
      },
    );
  });
}

test('switched on for everybody it holds for sessions of before, and where no role is declared', async (t) => {
  const first = await startApp(t);
  const { visitor, client, person } = await signedIn(first);
  const { secret } = await enrolledKeeping(first, person, visitor);
  await first.stop();
  const port = Number(new URL(first.url).port);
  const app = await startApp(t, { dataDir: first.dataDir, port, env: { LATCHKEY_SECOND_FACTOR: 'everybody' } });
  const silent = authorizationRequest(app, client.client_id, { prompt: 'none' });
  assert.equal(errorOf(await visitor.open(silent.url)), 'login_required');
  const page = await visitor.open('/account');
  assert.match(page.url, /\/totp$/, 'for the factor alone');
  assert.equal(pathOf(await visitor.submit(page, { code: oath(secret) }, '/totp$')), '/account');
  assert.ok(codeOf(await visitor.open(silent.url)));
});

/** An authenticator of somebody whose session of before goes on, as after adding one on the account page. */
async function enrolledKeeping(app: TestApp, person: Person, visitor: Visitor): Promise<{ secret: string }> {
  const page = await visitor.open('/account/security/totp/new');
  const secret = secretOn(page);
  await visitor.submit(page, { code: await oathBefore(secret), name: '' }, '/totp/new$');
  assert.equal((await app.services.factors.of(person.id)).filter(({ kind }) => kind === 'totp').length, 1);
  return { secret };
}
