/** The description of the account API says what is there: every route, every refusal, samples that fit their schemas. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Router from '@koa/router';
import type { z } from 'zod';
import { Problem } from '../src/api/answers.ts';
import { OPERATIONS } from '../src/api/operations.ts';
import { mountAccountApi } from '../src/api/routes.ts';
import { ERROR_STATUS, type ErrorCode } from '../src/errors.ts';
import { startApp } from './support/app.ts';

interface Described {
  operationId: string;
  summary: string;
  description: string;
  security: Array<Record<string, string[]>>;
  parameters?: Array<{ name: string; in: string; schema: object }>;
  responses: Record<
    string,
    { description: string; content?: Record<string, { examples?: Record<string, { value: object }> }> }
  >;
}
type Paths = Record<string, Record<string, Described>>;

async function description(url: string) {
  const response = await fetch(`${url}/openapi.json`);
  return { response, document: await response.json() };
}

test('every route is described, and every described route exists', async (t) => {
  const app = await startApp(t);
  const { document } = await description(app.url);
  const described = Object.entries(document.paths as Paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const router = new Router();
  mountAccountApi(router, {} as never);
  const mounted = router.stack.flatMap(({ path, methods }) =>
    methods
      .filter((method) => method !== 'HEAD')
      .map((method) => `${method} ${String(path).replaceAll(/:([a-z_]+)/g, '{$1}')}`),
  );
  assert.deepEqual(described.sort(), mounted.sort());
  assert.equal(described.length, OPERATIONS.length);
  for (const route of described) {
    const [method, path = ''] = route.split(' ');
    const answer = await fetch(app.url + path.replace(/\{.*\}/, 'x'), { method: method as string });
    await answer.text();
    assert.equal(answer.status, 401, `${route} exists and asks who is there`);
  }
});

test('the document is OpenAPI 3.1 with the issuer’s own addresses, cached, and the same for every origin', async (t) => {
  const app = await startApp(t);
  const { response, document } = await description(app.url);
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
  assert.equal(response.headers.get('cache-control'), 'public, max-age=300');
  assert.match(document.openapi, /^3\.1\.\d$/);
  assert.deepEqual(document.servers, [{ url: app.url }]);
  const metadata = await (await fetch(`${app.url}/.well-known/openid-configuration`)).json();
  const { oauth2, session } = document.components.securitySchemes;
  assert.equal(oauth2.flows.authorizationCode.authorizationUrl, metadata.authorization_endpoint);
  assert.equal(oauth2.flows.authorizationCode.tokenUrl, metadata.token_endpoint);
  assert.deepEqual(Object.keys(oauth2.flows.authorizationCode.scopes), ['account:read', 'account:write']);
  assert.equal(session.name, 'latchkey_session');
  const etag = response.headers.get('etag') as string;
  // Node's fetch would ask for a fresh copy beside a condition of our own.
  const conditional = { 'if-none-match': etag, 'cache-control': 'max-age=0' };
  const again = await fetch(`${app.url}/openapi.json`, { headers: conditional });
  assert.equal(await again.text(), '');
  assert.equal(again.status, 304);
  assert.equal(again.headers.get('etag'), etag);
  const head = await fetch(`${app.url}/openapi.json`, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), '');
});

test('every reference leads somewhere, and every refusal has its status, its words and a sample that is one', async (t) => {
  const app = await startApp(t);
  const { document } = await description(app.url);
  for (const [, reference = ''] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    const target = reference
      .split('/')
      .reduce((value: Record<string, unknown> | undefined, part) => value?.[part] as never, document);
    assert.ok(target, `#/${reference}`);
  }
  for (const methods of Object.values(document.paths as Paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      assert.ok(operation.summary && operation.description && operation.operationId);
      assert.equal(operation.security.length, 2);
      assert.equal('csrf' in (operation.security[1] ?? {}), method !== 'get');
      for (const [status, response] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue;
        const examples = Object.entries(response.content?.['application/problem+json']?.examples ?? {});
        assert.ok(examples.length > 0, `${operation.operationId} ${status}`);
        for (const [code, { value }] of examples) {
          assert.equal(String(ERROR_STATUS[code as ErrorCode]), status);
          assert.ok(response.description.includes(`\`${code}\``));
          assert.ok(!response.description.includes('undefined'), `${code} has no words`);
          assert.equal(Problem.parse(value).code, code);
        }
      }
    }
  }
});

test('the samples of bodies and answers fit the schemas that check real ones', () => {
  for (const { answer, body } of OPERATIONS) {
    if (answer.schema) (answer.schema as z.ZodType).parse(answer.example);
    body?.schema.parse(body.example);
  }
});

test('/docs shows every operation to people, from this host alone', async (t) => {
  const app = await startApp(t);
  const response = await fetch(`${app.url}/docs`);
  const html = await response.text();
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/html/);
  assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/);
  for (const { summary, path } of OPERATIONS) {
    assert.ok(html.includes(summary), summary);
    assert.ok(html.includes(path), path);
  }
  assert.doesNotMatch(html, /(?:src|href)="(?:https?:)?\/\//, 'no other host');
  assert.doesNotMatch(html, /undefined|\[object Object\]/);
});
