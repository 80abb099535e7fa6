/** Codes and tokens in the wrong hands, or used a second time: who loses what, and who keeps it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import * as jose from 'jose';
import type { TestApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, FIREFOX, signedIn, signIn, somebody, token } from './support/flow.ts';
import { sharedApp } from './support/one-app.ts';
import { createVisitor, formsOf } from './support/visitor.ts';

const theApp = sharedApp();
const PUBLIC = { token_endpoint_auth_method: 'none' };
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

const isKnown = async (app: TestApp, accessToken: string) =>
  (await fetch(`${app.url}/oauth2/userinfo`, { headers: { authorization: `Bearer ${accessToken}` } })).status === 200;

test('P09: a second use of a code by another client, with another verifier or redirect takes back nothing', async (t) => {
  const app = await theApp();
  const client = await app.client({ redirect_uris: [CALLBACK, `${CALLBACK}/other`] });
  const other = await app.client();
  const { visitor } = await signedIn(app, { client });
  const request = authorizationRequest(app, client.client_id);
  const code = codeOf(await visitor.open(request.url)) as string;
  const good = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: request.verifier };
  const { body: won } = await token(app, client, good);
  const refresh = { grant_type: 'refresh_token', refresh_token: won.refresh_token as string };
  for (const [who, changes] of [
    [other, {}],
    [client, { redirect_uri: `${CALLBACK}/other` }],
    [client, { code_verifier: randomBytes(32).toString('base64url') }],
    [client, { code_verifier: 'v'.repeat(43) }],
  ] as const) {
    const what = JSON.stringify(changes);
    assert.equal((await token(app, who, { ...good, ...changes })).body.error, 'invalid_grant', what);
    assert.ok(await isKnown(app, won.access_token), `who knows no more than the code ends nothing: ${what}`);
  }
  assert.equal((await token(app, client, refresh)).status, 200);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2100 });
  assert.equal((await token(app, client, good)).body.error, 'invalid_grant');
  assert.equal(await isKnown(app, won.access_token), false, 'who knows all of it does');
  assert.equal((await token(app, client, refresh)).body.error, 'invalid_grant');
});

test('P12: after a theft the application is gone from the page of sessions, and the person sees why', async (t) => {
  const app = await theApp();
  const client = await app.client({ ...PUBLIC, client_name: 'Garden planner' });
  const { visitor, person, tokens } = await signedIn(app, { client });
  const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token as string };
  await token(app, client, refresh);
  assert.match((await visitor.open('/account/sessions')).html, /Garden planner/);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 12_000 });
  assert.equal((await token(app, client, refresh)).body.error, 'invalid_grant');
  assert.doesNotMatch((await visitor.open('/account/sessions')).html, /Garden planner/);
  const { items } = await app.services.audit.list({ account: person.id }, 20);
  assert.ok(items.some(({ details }) => details['reason'] === 'token_stolen'));
  assert.match((await visitor.open('/account/events')).html, /An old token of an application was used again/);
});

test('P13: a spent token with another DPoP key, or without one, is refused and ends the family', async () => {
  const app = await theApp();
  const holder = async () => {
    const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
    const jwk = await jose.exportJWK(publicKey);
    return async () => ({
      dpop: await new jose.SignJWT({ htm: 'POST', htu: `${app.url}/oauth2/token`, jti: randomBytes(9).toString('hex') })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt()
        .sign(privateKey),
    });
  };
  const [owner, thief] = [await holder(), await holder()];
  for (const [who, stolen] of [
    ['another key', thief],
    ['no key', async () => ({})],
  ] as const) {
    const client = await app.client(PUBLIC);
    const visitor = createVisitor(app.url, { 'user-agent': FIREFOX });
    const request = authorizationRequest(app, client.client_id);
    const code = codeOf(await signIn(visitor, await visitor.open(request.url), await somebody(app))) as string;
    const grant = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: request.verifier };
    const first = (await token(app, client, grant, await owner())).body.refresh_token as string;
    const refresh = async (value: string, headers: Record<string, string>) =>
      token(app, client, { grant_type: 'refresh_token', refresh_token: value }, headers);
    const one = await refresh(first, await owner());
    const next = one.body.refresh_token as string;
    assert.deepEqual((await refresh(first, await owner())).body, one.body, 'its owner gets the same answer again');
    assert.equal((await refresh(first, await stolen())).status, 400, who);
    assert.equal((await refresh(next, await owner())).body.error, 'invalid_grant', `${who} ended the newest`);
  }
});

test('P40: a user code is confirmed by a click in the browser that typed it, and by nothing else', async () => {
  const app = await theApp();
  const device = await app.client({
    ...{ ...PUBLIC, application_type: 'native', client_name: 'Living room TV', grant_types: [DEVICE_GRANT] },
    ...{ response_types: [], redirect_uris: [] },
  });
  const body = new URLSearchParams({ client_id: device.client_id, scope: 'openid' });
  const begun = await fetch(`${app.url}/oauth2/device_authorization`, { method: 'POST', body });
  const grant = (await begun.json()) as Record<string, string>;
  const userCode = grant['user_code'] as string;
  assert.ok(userCode.replaceAll('-', '').length * Math.log2(20) >= 20, 'twenty bits');
  const poll = async () =>
    (await token(app, device, { grant_type: DEVICE_GRANT, device_code: grant['device_code'] as string })).body.error;

  const [owner, stranger] = [(await signedIn(app)).visitor, (await signedIn(app)).visitor];
  const opened = await owner.open(grant['verification_uri_complete'] as string);
  const pending = /^(authorization_pending|slow_down)$/;
  assert.match(String(await poll()), pending, 'opening the address confirms nothing');
  const confirm = /name="confirm"/.test(opened.html) ? opened : await owner.submit(opened, { user_code: userCode });
  assert.match(confirm.html, /Living room TV/);
  const fields = formsOf(confirm).find((form) => 'xsrf' in form.fields && 'user_code' in form.fields)?.fields;
  assert.ok(fields?.['xsrf'], confirm.html.slice(0, 2000));
  const post = async (who: typeof owner, values: Record<string, string>) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await who.request('/device', {
      method: 'POST',
      headers,
      body: new URLSearchParams(values).toString(),
    });
    return answer.status;
  };
  for (const [why, who, values] of [
    ['another session', stranger, { ...fields, confirm: 'yes' }],
    ['nobody', createVisitor(app.url), { ...fields, confirm: 'yes' }],
    ['without its token', owner, { ...fields, xsrf: '', confirm: 'yes' }],
  ] as const) {
    assert.ok((await post(who, values)) >= 400, why);
    assert.match(String(await poll()), pending, why);
  }
});
