/** Factors by the account API: who may see and change them, how fresh a proof has to be, and whose they are. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SYSTEM } from '../src/audit/events.ts';
import { type ApiUser, apiUser, assertRefused, createApi, SCOPE } from './support/account-api.ts';
import { startApp, type TestApp } from './support/app.ts';
import { type Enrolled, enrolled, oath, oathBefore, wrongCode } from './support/factors.ts';
import { authorizationRequest, CALLBACK, codeOf, FIREFOX, signIn, token } from './support/flow.ts';
import { createVisitor } from './support/visitor.ts';

const PATH = '/api/v1/account/factors';

let app: TestApp;
const ends: Array<() => Promise<void>> = [];
before(async () => {
  app = await startApp({ after: (end: () => Promise<void>) => ends.push(end) } as never);
});
after(async () => {
  for (const end of ends) await end();
});

/** An application that the person signed in to with password and authenticator. */
async function withFactor(person: Enrolled, params: Record<string, string> = {}) {
  const client = await app.client();
  const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
  const request = authorizationRequest(app, client.client_id, { scope: SCOPE, ...params });
  const page = await signIn(visitor, await visitor.open(request.url), person);
  const done = await visitor.submit(page, { code: oath(person.secret) }, '/totp$');
  const grant = { grant_type: 'authorization_code', code: codeOf(done) as string, redirect_uri: CALLBACK };
  const { body } = await token(app, client, { ...grant, code_verifier: request.verifier });
  return createApi(app, body.access_token);
}

test('an application adds an authenticator; the first brings recovery codes and ends the other sessions', async () => {
  const user = await apiUser(app);
  const other = await apiUser(app, { person: user.person });
  assert.deepEqual((await user.api(`GET ${PATH}`)).body, { items: [], next: null });
  const codes = (api: ApiUser['api']) => api(`GET ${PATH}/recovery-codes`);
  assert.deepEqual((await codes(user.api)).body, { left: 0, total: 0, created_at: null });
  assertRefused(await user.api(`POST ${PATH}/recovery-codes`), 'conflict');

  const setup = (await user.api(`POST ${PATH}/totp`)).body;
  assert.equal(new URL(setup.otpauth_uri).searchParams.get('secret'), setup.secret);
  const prove = (api: ApiUser['api'], json: object) => api(`POST ${PATH}/totp/${setup.id}`, { json });
  assertRefused(await prove(user.api, { code: wrongCode(setup.secret) }), 'invalid_code', ['code: totp_wrong_first']);
  assertRefused(await prove(user.api, { code: oath(setup.secret), name: 'x'.repeat(61) }), 'invalid_request', [
    'name: too_long',
  ]);
  const stranger = await apiUser(app);
  assertRefused(await prove(stranger.api, { code: oath(setup.secret) }), 'code_expired');
  const added = await prove(user.api, { code: await oathBefore(setup.secret), name: 'Ada’s e\u0301cran' });
  assert.equal(added.body.factor.name, 'Ada’s écran', 'NFC');
  assert.equal(added.body.recovery_codes.length, 10);
  assert.equal((await codes(user.api)).body.left, 10);
  assertRefused(await other.api(`GET ${PATH}`), 'invalid_token');
  assertRefused(await prove(user.api, { code: oath(setup.secret) }), 'fresh_proof_required');
  const { items } = (await user.api(`GET ${PATH}`)).body;
  assert.deepEqual(
    items.map(({ kind }: { kind: string }) => kind),
    ['totp', 'recovery'],
  );
  assert.ok(!JSON.stringify(items).includes(setup.secret));
});

test('A17: a password alone, or an old sign-in, is no fresh proof where there is a factor', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  // A sign-in of this moment with the password, in which the factor was added.
  const early = await apiUser(app);
  const { id, secret } = (await early.api(`POST ${PATH}/totp`)).body;
  const added = (await early.api(`POST ${PATH}/totp/${id}`, { json: { code: await oathBefore(secret) } })).body;
  const person = { ...early.person, secret, factorId: added.factor.id };
  const removal = `DELETE ${PATH}/${person.factorId}`;
  for (const line of [`POST ${PATH}/totp`, removal, `POST ${PATH}/recovery-codes`])
    assertRefused(await early.api(line), 'fresh_proof_required');
  const api = await withFactor(person);
  t.mock.timers.setTime(Date.now() + 11 * 60_000);
  for (const line of [`POST ${PATH}/totp`, removal, `POST ${PATH}/recovery-codes`]) {
    const refused = await api(line);
    assertRefused(refused, 'fresh_proof_required');
    assert.match(refused.headers.get('www-authenticate') ?? '', /insufficient_user_authentication/);
  }
  const named = await api(`PATCH ${PATH}/${person.factorId}`, { json: { name: '' } });
  assert.equal(named.body.name, null, 'a name is no such change');
  const fresh = await withFactor(person, { prompt: 'login' });
  const renewed = await fresh(`POST ${PATH}/recovery-codes`);
  assert.equal(new Set(renewed.body.codes).size, 10);
  assert.equal((await fresh(removal)).status, 204);
  assert.deepEqual((await fresh(`GET ${PATH}`)).body.items, [], 'the codes went with the last factor');
});

test('a token of 0.1.0 is as fresh as the sign-in behind it, also when the session of that has ended', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const { api, tokens, person } = await apiUser(app);
  const { artifacts } = app.services;
  const { payload } = (await artifacts.find('AccessToken', tokens.access_token)) as {
    payload: Record<string, unknown>;
  };
  const { extra, ...ofBefore } = payload;
  assert.ok(extra, 'ours says when the person signed in');
  const grantId = ofBefore['grantId'] as string;
  await artifacts.upsert('AccessToken', tokens.access_token, ofBefore, Date.now() + 15 * 60_000, { grantId });
  const begins = () => api(`POST ${PATH}/totp`);
  assert.equal((await begins()).status, 200);
  const json = { current_password: person.password, new_password: 'herons wait in the reeds' };
  assert.equal((await api('POST /api/v1/account/password', { json })).status, 204);
  assert.equal(await app.services.rows.Session.findByUid(ofBefore['sessionUid'] as string), undefined);
  assert.equal((await begins()).status, 200);
  t.mock.timers.setTime(Date.now() + 11 * 60_000);
  assertRefused(await begins(), 'fresh_proof_required');
});

test('IDOR: nobody sees, names or removes somebody else’s factor, and codes are no single factor', async () => {
  const [ada, eve] = [await enrolled(app), await enrolled(app)];
  await app.services.recoveryCodes.create(eve.id, { by: SYSTEM });
  const api = await withFactor(eve);
  for (const id of [ada.factorId, 'recovery', 'nothing']) {
    assertRefused(await api(`PATCH ${PATH}/${id}`, { json: { name: 'mine' } }), 'not_found');
    assertRefused(await api(`DELETE ${PATH}/${id}`), 'not_found');
  }
  const { items } = (await api(`GET ${PATH}`)).body;
  assert.deepEqual(
    items.map(({ id }: { id: string }) => id),
    [eve.factorId, 'recovery'],
  );
  assert.equal((await app.services.factors.of(ada.id))[0]?.name, 'Phone');
});
