/** Rules that hold at every address, tried at every address that the routers have, so that a new one is tried, too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStage, type Door, type Stage } from './support/doors.ts';
import { authorizationRequest, codeOf, FIREFOX, signedIn, somebody, token } from './support/flow.ts';
import { sharedStage } from './support/one-app.ts';
import { allDoors, answers, declaredRoutes, type Route } from './support/routes.ts';
import { assertSafe, encoded, FORM, pairsOf, rawPairs, send } from './support/spoiled.ts';
import { createVisitor, formsOf } from './support/visitor.ts';

const theStage = sharedStage();
const OPEN = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server', '/.well-known/jwks.json'];
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** What the protocol offers and no door tries. */
const OPTIONAL = [
  { method: 'POST', path: '/oauth2/userinfo' },
  { method: 'POST', path: '/device/' },
];
const PUBLIC = [...OPEN, '/openapi.json', '/.well-known/webfinger'];

function use(stage: Stage, door: Door, headers: Record<string, string> = {}, changes: Record<string, string> = {}) {
  const params = { ...door, params: { ...door.params, ...changes } };
  const form = rawPairs(encoded(pairsOf(params)));
  const query = door.place === 'query' && form !== '' ? `?${form}` : '';
  const type = door.place === 'json' ? 'application/json' : FORM;
  const body = door.place === 'query' ? undefined : door.place === 'json' ? JSON.stringify(params.params) : form;
  const all = { ...door.headers, ...(body === undefined ? {} : { 'content-type': type }), ...headers };
  return send(stage, { method: door.method, path: door.path + query, headers: all, body });
}

test('P21, P22, X01: every page has the whole policy and a nonce of its own, loads nothing from elsewhere, tells no referrer', async () => {
  const stage = await theStage();
  const nonces: string[] = [];
  let pages = 0;
  const more = ['/nothing', '/login/nothing', '/account/nothing', '/oauth2/authorize', '/oauth2/authorize/nothing'];
  const asked = [
    ...allDoors(stage).filter(({ path }) => !/sign-out|end-others/.test(path)),
    ...more.map((path) => ({ ...(stage.doors[0] as Door), path, params: {}, headers: { accept: 'text/html' } })),
  ];
  for (const door of asked) {
    const { headers, text, status } = await use(stage, door);
    const what = `${door.method} ${door.path} ${status}`;
    assert.equal(headers['referrer-policy'], 'no-referrer', what);
    assert.equal(headers['x-content-type-options'], 'nosniff', what);
    if (!String(headers['content-type']).startsWith('text/html') || text === '') continue;
    pages += 1;
    const policy = String(headers['content-security-policy']);
    for (const part of ["frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'", "default-src 'none'"])
      assert.ok(policy.includes(part) || door.path.endsWith('/html'), `${what}: ${part} in ${policy}`);
    if (!door.path.endsWith('/html') && status !== 303 && status !== 302) {
      // A sign-in page may be the popup of an application that waits for it.
      if (status === 200 && /^\/account(\/(?!signed-out|closed)|$)/.test(door.path))
        assert.equal(headers['cross-origin-opener-policy'], 'same-origin', what);
      assert.match(String(headers['permissions-policy']), /camera=\(\)/, what);
    }
    const nonce = /'nonce-([^']+)'/.exec(policy)?.[1];
    if (nonce) nonces.push(nonce);
    const foreign = [...text.matchAll(/\b(?:src|href|action|srcset|poster|data)="(https?:)?\/\/([^"/]+)/g)]
      .map((match) => match[2])
      .filter((host) => host !== new URL(stage.app.url).host && !/^(127\.0\.0\.1|localhost)/.test(String(host)));
    assert.deepEqual(foreign, [], what);
  }
  assert.ok(pages > 25, `${pages} pages`);
  assert.equal(new Set(nonces).size, nonces.length, 'a nonce twice');
});

test('P36: no cache keeps anything but public documents and files', async () => {
  const stage = await theStage();
  for (const door of allDoors(stage).filter(({ path }) => !/sign-out|end-others/.test(path))) {
    if (PUBLIC.includes(door.path) || /^\/(docs|livez|readyz|healthz|metrics)$/.test(door.path)) continue;
    const { headers, status } = await use(stage, door);
    if (status === 404 || status === 302 || status === 303) continue;
    assert.match(String(headers['cache-control']), /no-store/, `${door.method} ${door.path} ${status}`);
  }
});

test('P23: a strange or null origin is allowed nothing, and nobody gets cookies', async () => {
  const stage = await theStage();
  for (const door of allDoors(stage).filter(({ path }) => !/sign-out|end-others/.test(path))) {
    for (const origin of ['https://evil.example', 'null']) {
      for (const method of [door.method, 'OPTIONS']) {
        const ask = { origin, 'access-control-request-method': door.method, 'access-control-request-headers': 'x-a' };
        const { headers, status } = await use(stage, { ...door, method }, ask);
        const what = `${method} ${door.path} from ${origin}: ${status}`;
        assert.equal(headers['access-control-allow-credentials'], undefined, what);
        const allowed = headers['access-control-allow-origin'];
        if (PUBLIC.includes(door.path)) assert.ok([undefined, '*', origin].includes(allowed), what);
        else assert.equal(allowed, undefined, what);
      }
    }
  }
});

test('X02, X15: an undeclared method is 405, TRACE never answers, and no answer says what serves it', async () => {
  const stage = await theStage();
  const doors = allDoors(stage);
  const paths = new Map(doors.map((door) => [door.path, door]));
  // The protocol core's own addresses are in no router of ours.
  const routes: Route[] = [...declaredRoutes(), ...doors, ...OPTIONAL];
  for (const [path, door] of paths) {
    for (const method of ['TRACE', 'PROPFIND', 'TRACK']) {
      const { status, headers } = await send(stage, { method, path });
      assert.ok([400, 405].includes(status), `${method} ${path}: ${status}`);
      assert.equal(headers['x-powered-by'], undefined);
    }
    const undeclared = METHODS.filter(
      (method) => !routes.some((route) => route.method === method && answers(route, path)),
    );
    for (const method of undeclared) {
      const { status, headers } = await send(stage, { method, path });
      assert.equal(status, 405, `${method} ${path}`);
      assert.ok(headers['allow'] && !headers['allow'].includes(method), `${method} ${path}: ${headers['allow']}`);
    }
    const { headers, text } = await use(stage, { ...door, params: {} }, { 'sec-fetch-site': 'cross-site' });
    for (const name of ['server', 'x-powered-by', 'x-aspnet-version', 'via'])
      assert.equal(headers[name], undefined, `${name} of ${path}`);
    assert.doesNotMatch(text, /\b(koa|oidc-provider|node(\.js)?)[ /]v?\d/i, path);
  }
});

test('S05: no form is taken without its token, with somebody else’s, or from another site', async (t) => {
  // Of its own: the requests of the others sign its people out.
  const stage = await createStage(t);
  const posts = allDoors(stage).filter(
    ({ method, format, name }) => method === 'POST' && format === 'page' && name !== 'authorize by POST',
  );
  const other = await signedIn(stage.app);
  const stranger = createVisitor(stage.app.url, { 'user-agent': FIREFOX });
  const foreign = {
    csrf: formsOf(await other.visitor.open('/account'))[0]?.fields['csrf'] as string,
    xsrf: formsOf(await stranger.open('/device'))[0]?.fields['xsrf'] as string,
  };
  assert.ok(foreign.csrf && foreign.xsrf);
  for (const door of posts) {
    const name = 'xsrf' in door.params ? 'xsrf' : 'csrf';
    const ways: Record<string, [Record<string, string>, Record<string, string>]> = {
      'without a token': [{}, { [name]: '' }],
      'with a stranger’s token': [{}, { [name]: foreign[name] }],
      'from another site': [{ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, {}],
      'from a neighbour': [{ 'sec-fetch-site': 'same-site' }, {}],
    };
    for (const [why, [headers, changes]] of Object.entries(ways)) {
      const answer = await use(stage, door, headers, changes);
      assertSafe(stage, answer, `${door.path} ${why}`);
      assert.ok([400, 403, 410].includes(answer.status), `${door.path} ${why}: ${answer.status}`);
      if (door.status !== 0 && (name === 'csrf' || why.startsWith('from')) && !door.path.includes('invitation'))
        assert.equal(answer.status, 403, `${door.path} ${why}`);
    }
  }
  const listed = declaredRoutes().filter(({ method, path }) => method === 'POST' && !path.startsWith('/api/'));
  for (const route of listed)
    assert.ok(
      posts.some(({ path }) => answers(route, path)),
      route.path,
    );
  // The account is as it was.
  const { status } = await send(stage, {
    path: '/account',
    headers: { accept: 'text/html', cookie: stage.cookies.signedIn },
  });
  assert.equal(status, 200);
});

test('X05: on the pages, too, nobody reaches a session or an application of somebody else', async () => {
  const { app } = await theStage();
  const [mine, theirs] = [await signedIn(app), await signedIn(app)];
  const before = await app.services.sessions.list(theirs.person.id);
  const csrf = formsOf(await mine.visitor.open('/account'))[0]?.fields['csrf'] as string;
  const ids = [...before.map(({ id }) => id), theirs.client.client_id, theirs.person.id];
  for (const id of ids)
    for (const path of [`/account/sessions/${id}/end`, `/account/apps/${id}/remove`]) {
      const headers = { 'content-type': FORM };
      const body = new URLSearchParams({ csrf }).toString();
      assert.equal((await mine.visitor.request(path, { method: 'POST', headers, body })).status, 404, path);
    }
  assert.deepEqual(
    (await app.services.sessions.list(theirs.person.id)).map(({ id }) => id).sort(),
    before.map(({ id }) => id).sort(),
  );
  const events = await mine.visitor.open('/account/events');
  assert.ok(!events.html.includes(theirs.person.email) && !events.html.includes(theirs.person.id));
});

/** What touches address, password, factors, all data at once, or the end of an account. */
const GUARDED =
  /^\/account\/(email|email\/code|delete|data\/export|security\/(password|recovery|totp\/(new|:id\/remove)|passkey\/(new|new\/options|:id\/remove)))$/;
const GUARDED_CALL =
  /^(POST .*\/(email|email\/code|password|factors\/.*)|DELETE .*\/(account|factors\/:id)|GET .*\/export)$/;

test('A17: eleven minutes after the sign-in nothing that touches the way in, the data or the end of an account is done', async (t) => {
  const stage = await createStage(t);
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 11 * 60_000 });
  const before = await stage.app.services.accounts.byId(stage.person.id);
  const doors = allDoors(stage);
  const csrf = doors.find(({ name }) => name === '/account')?.params['csrf'] as string;
  const found = { pages: 0, calls: 0 };
  for (const route of declaredRoutes()) {
    const call = GUARDED_CALL.test(`${route.method} ${route.path}`) && route.path.startsWith('/api/');
    if (!call && !(GUARDED.test(route.path) && route.method === 'POST')) continue;
    const door = doors.find(({ method, path }) => method === route.method && answers(route, path)) as Door;
    const { status, headers, text } = await use(stage, { ...door, params: {} }, { 'x-csrf-token': csrf });
    const what = `${route.method} ${route.path}: ${status}`;
    if (call || route.path.endsWith('/options')) {
      found.calls += 1;
      assert.ok([401, 403].includes(status) && text.includes('fresh_proof_required'), what);
    } else {
      found.pages += 1;
      assert.match(String(headers['location']), /^\S+\/oauth2\/authorize\?\S*prompt=login/, what);
    }
  }
  assert.ok(found.pages >= 9 && found.calls >= 11, JSON.stringify(found));
  assert.deepEqual(await stage.app.services.accounts.byId(stage.person.id), before);
  const { status } = await use(
    stage,
    doors.find(({ path, method }) => path === '/api/v1/account' && method === 'GET') as Door,
  );
  assert.equal(status, 200, 'the sign-in lives');
});

test('one-time secrets for another purpose: each at every door that takes one', async () => {
  const stage = await theStage();
  const { app, client } = stage;
  const person = await somebody(app);
  const user = await signedIn(app, { client });
  const visitor = createVisitor(app.url);
  const login = await visitor.open(authorizationRequest(app, client.client_id).url);
  const forgot = await visitor.open(login.url.replace('/login/', '/forgot/'));
  await visitor.submit(forgot, { email: person.email }, '^/forgot/[^/]+$');
  const invited = await app.services.invitations.invite({
    ...{ email: 'guest@example.com', name: null, locale: 'en', inviter: null },
  });
  const code = codeOf(await user.visitor.open(authorizationRequest(app, client.client_id).url)) as string;
  const secrets: Record<string, string> = {
    reset: String(/\b\d{6}\b/.exec((await app.mail(person.email)).text)?.[0]),
    invitation: invited.link.split('/').at(-1) as string,
    code,
    refresh: String(user.tokens.refresh_token),
    access: user.tokens.access_token,
    csrf: formsOf(login)[0]?.fields['csrf'] as string,
    flow: login.url.split('/').at(-1) as string,
  };
  const post = (path: string, body: Record<string, string>, headers = {}) =>
    visitor.request(path, {
      method: 'POST',
      headers: { 'content-type': FORM, ...headers },
      body: new URLSearchParams(body).toString(),
    });
  const uid = secrets['flow'] as string;
  const page = await visitor.open(`/reset/${uid}`);
  const form = formsOf(page)[0]?.fields['csrf'] as string;
  const grant = (grant_type: string, name: string) => async (value: string) =>
    (await token(app, client, { grant_type, [name]: value, redirect_uri: 'http://127.0.0.1:9/callback' })).status;
  const doors: Record<string, [string | null, (value: string) => Promise<number>]> = {
    verification: [null, async (value) => (await post(`/verify/${uid}`, { csrf: form, code: value })).status],
    invitation: [
      'invitation',
      async (value) => (await visitor.open(`/invitation/${encodeURIComponent(value)}`)).status,
    ],
    'authorization code': [null, grant('authorization_code', 'code')],
    'device code': [null, grant('urn:ietf:params:oauth:grant-type:device_code', 'device_code')],
    'user code': [
      null,
      async (value) => (await visitor.submit(await visitor.open('/device'), { user_code: value })).status,
    ],
    refresh: ['refresh', grant('refresh_token', 'refresh_token')],
    bearer: [
      'access',
      async (value) =>
        (await fetch(`${app.url}/api/v1/account`, { headers: { authorization: `Bearer ${value}` } })).status,
    ],
    flow: ['flow', async (value) => (await createVisitor(app.url).open(`/login/${encodeURIComponent(value)}`)).status],
    'pushed request': [
      null,
      async (value) => {
        const query = new URLSearchParams({
          client_id: client.client_id,
          request_uri: `urn:ietf:params:oauth:request_uri:${value}`,
        });
        return (await visitor.open(`/oauth2/authorize?${query}`)).status;
      },
    ],
    'way back': [
      null,
      async (value) => (await user.visitor.open(`/account/callback?state=${encodeURIComponent(value)}&code=x`)).status,
    ],
  };
  for (const [door, [own, ask]] of Object.entries(doors))
    for (const [kind, value] of Object.entries(secrets)) {
      if (kind === own) continue;
      const status = await ask(value);
      // The account API is for another scope than this token's: also a refusal.
      assert.ok(status >= 400, `${kind} as ${door}: ${status}`);
    }
});

test('state shared between requests: fifty people at once, each their own', async () => {
  const { app, client } = await theStage();
  const people = await Promise.all(Array.from({ length: 50 }, () => somebody(app)));
  const seen = await Promise.all(
    people.map(async (person) => {
      const { tokens } = await signedIn(app, { person, client });
      const headers = { authorization: `Bearer ${tokens.access_token}` };
      const claims = (await (await fetch(`${app.url}/oauth2/userinfo`, { headers })).json()) as {
        sub: string;
        email: string;
      };
      const sub = JSON.parse(Buffer.from(String(String(tokens.id_token).split('.')[1]), 'base64url').toString()).sub;
      return [sub, claims.sub, claims.email];
    }),
  );
  assert.deepEqual(
    seen,
    people.map(({ id, email }) => [id, id, email]),
  );
});
