/** The authorization endpoint by POST, and the internal client that nobody else may be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from './support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, FIREFOX, signedIn, signIn, somebody, token } from './support/flow.ts';
import { createVisitor, type Visitor } from './support/visitor.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const post = (visitor: Visitor, path: string, body: string, headers: Record<string, string> = {}) =>
  visitor.request(path, { method: 'POST', headers: { ...FORM, ...headers }, body });

test('P20, P37: the authorization endpoint takes a form and goes on by GET, with the same checks', async (t) => {
  const app = await startApp(t);
  const client = await app.client();
  const { visitor, person } = await signedIn(app, { client });
  const request = authorizationRequest(app, client.client_id, { nonce: 'a nonce & more' });
  const form = new URL(request.url).search.slice(1);

  // A form of another site comes without cookies; the GET that follows has them.
  const stranger = createVisitor(app.url, { 'user-agent': FIREFOX });
  const cross = { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' };
  const answer = await post(stranger, '/oauth2/authorize', form, cross);
  assert.equal(answer.status, 303);
  assert.deepEqual(answer.headers.getSetCookie(), [], 'nothing was begun');
  const target = new URL(String(answer.headers.get('location')), app.url);
  assert.deepEqual([...target.searchParams], [...new URLSearchParams(form)]);
  const page = await visitor.open(target.href);
  assert.ok(codeOf(page), `single sign-on at ${page.url}`);

  const fresh = await stranger.open('/oauth2/authorize', { method: 'POST', headers: FORM, body: form });
  assert.ok(codeOf(await signIn(stranger, fresh, person)));

  for (const [what, path, body, status] of [
    ['twice in the form', '/oauth2/authorize', `${form}&redirect_uri=x`, 400],
    ['in form and query', `/oauth2/authorize?client_id=${client.client_id}`, form, 400],
    ['not UTF-8', '/oauth2/authorize', `${form}&x=%ff`, 400],
    ['a line break', '/oauth2/authorize', `${form}&x=%0d%0aSet-Cookie:a=b`, 400],
    [
      'too long together',
      '/oauth2/authorize',
      `${form}&${'a b c d'
        .split(' ')
        .map((n) => `${n}=${'x'.repeat(4000)}`)
        .join('&')}`,
      400,
    ],
    ['another redirect', '/oauth2/authorize', form.replace('callback', 'elsewhere'), 303],
  ] as const) {
    const refused = await post(stranger, path, body);
    assert.equal(refused.status, status, what);
    assert.ok(!refused.headers.has('location') || status === 303, what);
  }
  const elsewhere = await stranger.open('/oauth2/authorize', {
    method: 'POST',
    headers: FORM,
    body: form.replace('callback', 'elsewhere'),
  });
  assert.deepEqual([elsewhere.status, new URL(elsewhere.url).origin], [400, app.url]);
});

test('P11: a code of the account pages is worth nothing, also to who chose its challenge', async (t) => {
  const app = await startApp(t);
  const person = await somebody(app);
  const visitor = createVisitor(app.url);
  const redirect_uri = `${app.url}/account/callback`;
  const request = authorizationRequest(app, 'latchkey-account', { redirect_uri, scope: 'openid' });
  let page = await visitor.open(request.url);
  const { action, body } = visitor.fill(page, { email: person.email, password: person.password }, '^/login/[^/]+$');
  let response = await post(visitor, action, body);
  while (!String(response.headers.get('location')).includes('code=')) {
    response = await visitor.request(String(response.headers.get('location')));
  }
  const code = new URL(String(response.headers.get('location')), app.url).searchParams.get('code') as string;
  const grant = { grant_type: 'authorization_code', code, redirect_uri, code_verifier: request.verifier };
  for (const client_secret of [undefined, '', 'latchkey-account', 'guess']) {
    const answer = await token(app, { client_id: 'latchkey-account', client_secret }, grant);
    assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_client'], String(client_secret));
  }
  const other = await app.client({ redirect_uris: [redirect_uri, CALLBACK] }).catch(() => app.client());
  assert.equal((await token(app, other, grant)).body.error, 'invalid_grant', 'nor by another client');
  page = await visitor.open('/account');
  assert.equal(page.status, 200, 'the browser is signed in all the same');
});
