/** What must hold of the answers of every endpoint, whatever is asked: nothing kept by caches, nothing said that a
 * stranger may not know, and no good answer when the store is away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStage, type Door, type Stage } from './support/doors.ts';
import { signedIn } from './support/flow.ts';
import { assertQuiet, encoded, FORM, pairsOf, rawPairs, send, through } from './support/spoiled.ts';

const wellFormed = (door: Door) =>
  door.place === 'json' ? JSON.stringify(door.params) : rawPairs(encoded(pairsOf(door)));

/** Documents that are the same for everybody. */
const PUBLIC = new Set(['openid-configuration', 'oauth-authorization-server', 'jwks.json', 'webfinger', '/']);

function post(stage: Stage, path: string, params: Record<string, string>) {
  const body = new URLSearchParams(params).toString();
  return send(stage, { method: 'POST', path, headers: { 'content-type': FORM }, body });
}

test('P36: no cache keeps what is about a person, a token or a sign-in', async (t) => {
  const stage = await createStage(t);
  for (const door of stage.doors.filter(({ name }) => !PUBLIC.has(name))) {
    for (const text of [wellFormed(door), '%FF']) {
      const answer = await through(stage, door, text);
      // Only with Cache-Control would a cache keep a redirect (RFC 9111 section 4.2.2, RFC 9110 section 15.1).
      if (answer.status === 302 || answer.status === 303) continue;
      assert.match(String(answer.headers['cache-control']), /no-store/, `${door.name}: ${answer.status}`);
    }
  }
  assertQuiet(stage);
});

test('P39: introspection answers clients that prove who they are, about tokens that are meant for them', async (t) => {
  const stage = await createStage(t);
  const { app, client, tokens } = stage;
  const stranger = await app.client();
  const spa = await app.client({ token_endpoint_auth_method: 'none' });
  const about = async (who: Record<string, string>, token: string) => {
    const answer = await post(stage, '/oauth2/introspect', { ...who, token });
    return { status: answer.status, ...JSON.parse(answer.text) };
  };
  const by = ({ client_id, client_secret }: typeof client) => ({ client_id, client_secret });
  for (const token of [tokens.access_token, tokens.refresh_token as string]) {
    assert.equal((await about(by(client), token)).active, true);
    assert.deepEqual(await about(by(stranger), token), { status: 200, active: false });
    assert.equal((await about({ ...by(client), client_secret: 'wrong' }, token)).status, 401);
    assert.equal((await about({ client_id: client.client_id }, token)).status, 401);
    assert.equal((await about({}, token)).status, 400);
  }
  const own = await signedIn(app, { client: spa, person: stage.person });
  assert.notEqual((await about({ client_id: spa.client_id }, own.tokens.access_token)).active, true);
});

test('P38: while the store is away nothing is said to be revoked, and every refusal keeps its format', async (t) => {
  const stage = await createStage(t);
  const { app, client, tokens } = stage;
  const revoke = stage.doors.find(({ name }) => name === 'revoke') as Door;
  await app.services.db.close();
  for (const token of [tokens.access_token, tokens.refresh_token as string]) {
    const { client_id, client_secret } = client;
    const answer = await post(stage, revoke.path, { client_id, client_secret, token });
    assert.equal(answer.status, 503);
    assert.equal(JSON.parse(answer.text).error, 'temporarily_unavailable');
    assert.match(String(answer.headers['retry-after']), /^[1-9]/);
  }
  for (const door of stage.doors) {
    const answer = await through(stage, door, wellFormed(door));
    const what = `${door.name}: ${answer.status} ${answer.text.slice(0, 300)}`;
    assert.notEqual(answer.status, 500, what);
    assert.ok(!/\n\s+at |node_modules|\.[jt]s:\d+/.test(answer.text), what);
    if (answer.status !== 503) continue;
    assert.match(String(answer.headers['retry-after']), /^[1-9]/, what);
    const type = { oauth: /^application\/json/, problem: /json/, page: /^text\/html/ }[door.format];
    assert.match(String(answer.headers['content-type']), type, what);
  }
});
