/** Security headers, cross-origin access and compression, as a browser would see them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Middleware } from 'koa';
import Provider from 'oidc-provider';
import { compress } from '../src/http/compress.ts';
import { apiCors } from '../src/http/cors.ts';
import type { Listener } from '../src/http/front.ts';
import { securityHeaders } from '../src/http/headers.ts';
import { createLog } from '../src/http/log.ts';
import { pageErrors } from '../src/http/pages.ts';
import { problems } from '../src/http/problem.ts';
import { serveFront, serveKoa } from './support/serve.ts';

const quiet = createLog({ level: 'silent', pretty: false });

const showError = pageErrors({
  page: (ctx) => {
    ctx.type = 'html';
    ctx.body = '<p>sorry';
  },
  development: false,
  log: quiet,
});

function directives(response: Response): Record<string, string> {
  const policy = response.headers.get('content-security-policy') ?? '';
  return Object.fromEntries(policy.split(';').map((part) => part.trim().split(/\s(.*)/s, 2) as [string, string]));
}

const page: Middleware = (ctx) => {
  if (ctx.path === '/bug') throw new Error('a bug');
  if (ctx.path === '/missing') return;
  Object.assign(ctx.state, ctx.query);
  ctx.type = 'html';
  ctx.body = `<style nonce="${ctx.state['nonce']}"></style>`;
};

test('every HTML answer has the whole policy, errors and 404 too, and a nonce of its own', async (t) => {
  const { origin } = await serveKoa(t, [securityHeaders({ https: false, hstsSubdomains: true }), showError, page]);
  const nonces = new Set<string>();
  for (const path of ['/', '/', '/bug', '/missing']) {
    const response = await fetch(origin + path);
    const { 'style-src': styles, 'script-src': scripts, ...rest } = directives(response);
    const nonce = /^'self' 'nonce-([\w-]{22})'$/.exec(styles ?? '')?.[1] as string;
    assert.equal(scripts, styles);
    assert.deepEqual(rest, {
      'default-src': "'none'",
      'img-src': "'self' data:",
      'font-src': "'self'",
      'connect-src': "'self'",
      'manifest-src': "'self'",
      'object-src': "'none'",
      'base-uri': "'none'",
      'frame-ancestors': "'none'",
    });
    nonces.add(nonce);
    const headers = Object.fromEntries(response.headers);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['x-frame-options'], 'DENY');
    assert.match(headers['permissions-policy'] ?? '', /camera=\(\).*publickey-credentials-get=\(self\)/);
    assert.equal(headers['strict-transport-security'], undefined, 'HSTS over http means nothing and may lock out');
    assert.equal(headers['cross-origin-opener-policy'], undefined, 'a sign-in page may be a popup');
    assert.equal(headers['x-powered-by'], undefined);
    const html = await response.text();
    if (path === '/') assert.match(html, new RegExp(`nonce="${nonce}"`));
  }
  assert.equal(nonces.size, 4);
});

test('X01: HSTS for a year under https, subdomains by setting; isolation and frames only where a route asks', async (t) => {
  const issuer = new URL('https://id.example.test');
  for (const [hstsSubdomains, value] of [
    [true, 'max-age=31536000; includeSubDomains'],
    [false, 'max-age=31536000'],
  ] as const) {
    const options = { issuer, trustProxy: ['127.0.0.1'], anyHostPaths: ['/'] };
    const { origin } = await serveKoa(t, [securityHeaders({ https: true, hstsSubdomains }), page], options);
    assert.equal((await fetch(origin)).headers.get('strict-transport-security'), value);
  }
  const { origin } = await serveKoa(t, [securityHeaders({ https: false, hstsSubdomains: true }), page]);
  const isolated = await fetch(`${origin}/?isolate=1`);
  assert.equal(isolated.headers.get('cross-origin-opener-policy'), 'same-origin');
  assert.equal(directives(isolated)['frame-src'], undefined);
  assert.equal(directives(await fetch(`${origin}/?allowFrames=1`))['frame-src'], "'self'");
  const mail = await fetch(`${origin}/?mailDocument=1`);
  assert.equal(directives(mail)['frame-ancestors'], "'self'");
  assert.equal(directives(mail)['script-src'], undefined);
  assert.match(mail.headers.get('content-security-policy') ?? '', /^sandbox /);
});

test('the library’s form_post page keeps our policy and gets the hash of its own script, nothing more', async (t) => {
  const response = await formPost(t);
  const html = await response.text();
  const script = html.split('<script>')[1]?.split('</script>')[0] ?? '';
  assert.match(script, /document\.forms\[0\]\.submit\(\)/);
  const hash = createHash('sha256').update(script).digest('base64');
  const policy = directives(response);
  assert.match(policy['script-src'] ?? '', /^'self' 'nonce-[\w-]{22}' 'sha256-/);
  assert.ok(policy['script-src']?.endsWith(`'sha256-${hash}'`));
  assert.equal(policy['frame-ancestors'], "'none'");
  assert.equal(policy['form-action'], undefined, 'it would stop the form on its way to the app');
});

/** The real library answers a request that needs a sign-in and forbids one: an error, by form_post. */
async function formPost(t: TestContext): Promise<Response> {
  let callback: Listener | undefined;
  const { origin } = await serveFront(t, (req, res) => callback?.(req, res));
  const client = { client_id: 'app', client_secret: 'x'.repeat(43), redirect_uris: ['https://app.example.test/cb'] };
  const nothing = async () => undefined;
  const provider = new Provider(origin, {
    clients: [client],
    responseTypes: ['code'],
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['k'.repeat(32)] },
    adapter: () => ({ find: nothing, findByUid: nothing, upsert: nothing, destroy: nothing }) as never,
  });
  provider.use(securityHeaders({ https: false, hstsSubdomains: true }) as never);
  callback = provider.callback();
  const query = new URLSearchParams({
    client_id: 'app',
    redirect_uri: client.redirect_uris[0] as string,
    response_type: 'code',
    response_mode: 'form_post',
    scope: 'openid',
    prompt: 'none',
    code_challenge: 'a'.repeat(43),
    code_challenge_method: 'S256',
  });
  return fetch(`${origin}/auth?${query}`, { redirect: 'manual' });
}

async function crossOrigin(t: TestContext) {
  const asked: string[] = [];
  const allowed = async (origin: string) => asked.push(origin) > 0 && origin === 'https://spa.example.test';
  const { port } = await serveKoa(t, [
    apiCors({ allowed }),
    problems({ log: quiet }),
    (ctx) => {
      if (ctx.path === '/bug') throw new Error('a bug');
      ctx.body = { method: ctx.method };
    },
  ]);
  /** fetch would not let us name an Origin. */
  const send = (method: string, headers: Record<string, string>, path = '/api') =>
    new Promise<{ status: number; headers: Record<string, string>; text: string }>((resolve, reject) => {
      const req = request({ port, host: '127.0.0.1', method, path, headers, agent: false }, async (res) => {
        let text = '';
        for await (const chunk of res) text += chunk;
        resolve({ status: res.statusCode ?? 0, headers: res.headers as Record<string, string>, text });
      });
      req.on('error', reject).end();
    });
  return { send, asked };
}

test('a registered client’s origin may read the API with a bearer token, never with cookies', async (t) => {
  const { send } = await crossOrigin(t);
  for (const path of ['/api', '/bug']) {
    const { headers } = await send('GET', { origin: 'https://spa.example.test' }, path);
    assert.equal(headers['access-control-allow-origin'], 'https://spa.example.test', path);
    assert.equal(headers['access-control-allow-credentials'], undefined);
    assert.match(headers['access-control-expose-headers'] ?? '', /WWW-Authenticate/);
    assert.match(headers['vary'] ?? '', /Origin/);
  }
  const preflight = await send('OPTIONS', {
    origin: 'https://spa.example.test',
    'access-control-request-method': 'PATCH',
    'access-control-request-headers': 'authorization,x-anything',
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-origin'], 'https://spa.example.test');
  assert.match(preflight.headers['access-control-allow-methods'] ?? '', /PATCH/);
  assert.equal(preflight.headers['access-control-allow-headers'], 'Authorization,Content-Type,DPoP');
  assert.equal(preflight.headers['access-control-max-age'], '600');
});

test('an unknown, null or malformed origin gets no word of CORS', async (t) => {
  const { send, asked } = await crossOrigin(t);
  const origins = [
    'https://evil.example',
    'null',
    'https://spa.example.test/',
    'https://SPA.example.test',
    'file://',
    '*',
    'x',
  ];
  for (const origin of origins) {
    for (const method of ['GET', 'OPTIONS']) {
      const preflight = method === 'OPTIONS' && { 'access-control-request-method': 'GET' };
      const { status, headers, text } = await send(method, { origin, ...preflight });
      assert.deepEqual(
        Object.keys(headers).filter((name) => name.startsWith('access-control')),
        [],
        origin,
      );
      assert.match(headers['vary'] ?? '', /Origin/);
      if (method === 'OPTIONS') assert.deepEqual([status, text], [204, '']);
    }
  }
  assert.deepEqual([...new Set(asked)], ['https://evil.example'], 'only well-formed origins are looked up');
  assert.equal((await send('GET', {})).status, 200);
});

test('pages that ask for it and public documents are compressed, answers with secrets never', async (t) => {
  const { origin } = await serveKoa(t, [
    compress({ publicPaths: ['/keys'] }),
    (ctx) => {
      if (ctx.path === '/page') ctx.state['compress'] = true;
      ctx.type = ctx.path === '/keys' || ctx.path === '/token' ? 'json' : 'html';
      ctx.body = ctx.path === '/short' ? 'x' : 'x'.repeat(5000);
    },
  ]);
  const encoding = async (path: string, accept: string) => {
    const response = await fetch(origin + path, { headers: { 'accept-encoding': accept } });
    assert.equal(await response.text(), path === '/short' ? 'x' : 'x'.repeat(5000));
    return response.headers.get('content-encoding');
  };
  for (const [accept, expected] of [
    ['gzip, br', 'br'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['GZIP', 'gzip'],
    ['deflate', null],
    ['gzip;q=1, br;q=0.5', 'gzip'],
    ['br;q=0, gzip', 'gzip'],
    ['*', 'gzip'],
  ] as const)
    assert.equal(await encoding('/page', accept), expected, accept);
  assert.equal(await encoding('/keys', 'gzip'), 'gzip');
  assert.equal(await encoding('/keys', 'identity'), null);
  for (const path of ['/token', '/form_post', '/keys/x', '/short'])
    assert.equal(await encoding(path, 'gzip, br'), null, path);
  const gzip = await new Promise<Buffer>((resolve) => {
    request(`${origin}/page`, { headers: { 'accept-encoding': 'gzip' }, agent: false }, async (res) => {
      resolve(Buffer.concat(await res.toArray()));
    }).end();
  });
  assert.equal(gunzipSync(gzip).length, 5000);
  const head = await fetch(`${origin}/page`, { method: 'HEAD', headers: { 'accept-encoding': 'gzip' } });
  assert.deepEqual([head.headers.get('content-encoding'), head.headers.get('content-length')], [null, '5000']);
});
