/** Calls of the account API by a test, each checked against the description: the answer's shape, the refusal's shape. */
import assert from 'node:assert/strict';
import { Problem } from '../../src/api/answers.ts';
import { errorsOf, OPERATIONS, type Operation } from '../../src/api/operations.ts';
import { ERROR_STATUS, type ErrorCode } from '../../src/errors.ts';
import type { TestApp } from './app.ts';
import { type SignedIn, signedIn } from './flow.ts';

export const SCOPE = 'openid profile email account:read account:write';

/** A well-formed request of each operation; ids name nothing. What ends the account comes last. */
export const CALLS = OPERATIONS.toSorted(
  (a, b) => Number(a.id === 'deleteAccount') - Number(b.id === 'deleteAccount'),
).map(({ method, path, scope, id }) => ({
  line: `${method.toUpperCase()} ${path.replace(/\{[a-z_]+\}/, 'nothing')}${id === 'endOtherSessions' ? '?except=current' : ''}`,
  scope,
}));

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the shape was checked against the schema of the operation
  body: any;
}

export interface Call {
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: string | Buffer;
  /** Sends the request in place of `fetch`, such as a visitor with its cookies. */
  send?: (target: string, init: RequestInit) => Promise<Response>;
}

export type Api = (line: string, call?: Call) => Promise<Answer>;

/** `api('PATCH /api/v1/account', { json })` with this bearer token, or with none. */
export function createApi(app: TestApp, token?: string): Api {
  return async (line, call = {}) => {
    const [method = '', target = ''] = line.split(' ');
    const init: RequestInit = {
      method,
      headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...call.headers },
    };
    if (call.json !== undefined) {
      init.body = JSON.stringify(call.json);
      init.headers = { 'content-type': 'application/json', ...(init.headers as object) };
    }
    if (call.body !== undefined) init.body = call.body as never;
    const response = await (call.send ?? fetch)(new URL(target, app.url).href, init);
    const text = await response.text();
    const answer: Answer = {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    checkAnswer(method, new URL(target, app.url).pathname, answer);
    return answer;
  };
}

/** The operation that a request is for, by its described path. */
export function operationFor(method: string, path: string): Operation | undefined {
  return OPERATIONS.find(
    (operation) =>
      operation.method === method.toLowerCase() &&
      new RegExp(`^${operation.path.replaceAll(/\{[a-z_]+\}/g, '[^/]+')}$`).test(path),
  );
}

function checkAnswer(method: string, path: string, { status, headers, body }: Answer): void {
  assert.match(headers.get('x-request-id') ?? '', /./, 'every answer has an id');
  if (!path.startsWith('/api/')) return;
  assert.equal(headers.get('cache-control'), 'no-store');
  const operation = operationFor(method, path);
  if (status >= 400 && method !== 'HEAD') {
    checkProblem(status, headers, body);
    if (operation)
      assert.ok(errorsOf(operation).includes(body.code), `${operation.id} is not described with ${body.code}`);
  } else if (operation?.answer.schema) {
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^application\/json/);
    operation.answer.schema.parse(body);
  } else if (operation) {
    assert.equal(status, 204);
    assert.equal(body, undefined);
  }
}

function checkProblem(status: number, headers: Headers, body: unknown): void {
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/);
  const problem = Problem.parse(body);
  assert.equal(problem.status, status);
  assert.equal(ERROR_STATUS[problem.code], status);
  assert.equal(problem.request_id, headers.get('x-request-id'));
  assert.ok(problem.detail.length > 10 && !/\n\s+at /.test(problem.detail), `words and no stack: ${problem.detail}`);
  if (status === 401) assert.match(headers.get('www-authenticate') ?? '', /^Bearer/);
}

/** Fails unless the answer is this refusal with these faults, each `field: code`. */
export function assertRefused(answer: Answer, code: ErrorCode, faults?: string[]): void {
  assert.equal(answer.body?.code, code, JSON.stringify(answer.body));
  if (!faults) return;
  const found = (answer.body.errors ?? []) as Array<{ field: string; code: string; detail: string }>;
  assert.deepEqual(found.map((fault) => `${fault.field}: ${fault.code}`).sort(), [...faults].sort());
  for (const { detail } of found) assert.ok(detail.length > 5, 'words for people');
}

export interface ApiUser extends SignedIn {
  api: Api;
}

/** A person signed in to an application that may use the account API. */
export async function apiUser(app: TestApp, options: Parameters<typeof signedIn>[1] = {}): Promise<ApiUser> {
  const user = await signedIn(app, { scope: SCOPE, ...options });
  return { ...user, api: createApi(app, user.tokens.access_token) };
}
