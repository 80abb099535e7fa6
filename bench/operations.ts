/** What is measured, each as one step of one connection that can be repeated. Knows no server and no clock. */
import { createHash, randomBytes } from 'node:crypto';
import { createVisitor, formsOf } from '../test/support/visitor.ts';
import { basic, CALLBACK, RESOURCE, RESOURCE_SCOPE, ROUTES } from './clients.ts';
import type { Answer, Wire } from './wire.ts';

export interface Person {
  email: string;
  password: string;
}

export interface Scene {
  origin: string;
  wire: Wire;
  /** Who signs in on this connection. */
  person: Person;
}

export interface Operation {
  name: string;
  /** Signed in with this algorithm; only the name of a client differs. */
  prepare(scene: Scene): Promise<() => Promise<void>>;
  /** The bare server has nothing like it. */
  oursOnly?: true;
  /** Costs so much that a slice has to be longer. */
  slow?: true;
}

const machine = { authorization: basic };

export const OPERATIONS: Operation[] = [
  { name: 'discovery', prepare: reading('/.well-known/openid-configuration') },
  { name: 'JWKS', prepare: reading(ROUTES.jwks) },
  { name: 'client credentials, opaque', prepare: clientCredentials({}) },
  { name: 'client credentials, JWT', prepare: clientCredentials({ resource: RESOURCE, scope: RESOURCE_SCOPE }) },
  { name: 'code flow, ES256', prepare: codeFlow('app-es256') },
  { name: 'code flow, RS256', prepare: codeFlow('app-rs256') },
  { name: 'refresh with rotation', prepare: refresh },
  { name: 'introspection', prepare: introspection },
  { name: 'userinfo', prepare: userinfo },
  { name: 'session list', prepare: sessionList, oursOnly: true },
  { name: 'password sign-in', prepare: passwordSignIn, oursOnly: true, slow: true },
];

function reading(path: string) {
  return async ({ wire }: Scene) =>
    async () => {
      expectStatus(await wire.call({ path }), 200);
    };
}

function clientCredentials(params: Record<string, string>) {
  const form = { grant_type: 'client_credentials', ...params };
  return async ({ wire }: Scene) =>
    async () => {
      expectStatus(await wire.call({ method: 'POST', path: ROUTES.token, headers: machine, form }), 200);
    };
}

/** Authorization with a session (single sign-on), then the exchange of the code with PKCE. */
function codeFlow(client: string) {
  return async (scene: Scene) => {
    const cookie = await signIn(scene, client);
    return async () => {
      await tokens(scene, client, cookie);
    };
  };
}

async function refresh(scene: Scene) {
  const { wire } = scene;
  let { refresh_token: token } = await tokens(scene, 'app-es256', await signIn(scene, 'app-es256'));
  return async () => {
    const form = { grant_type: 'refresh_token', refresh_token: token, client_id: 'app-es256' };
    const answer = expectStatus(await wire.call({ method: 'POST', path: ROUTES.token, form }), 200);
    const next = JSON.parse(answer.body).refresh_token;
    if (next === token) throw new Error('the refresh token was not rotated');
    token = next;
  };
}

async function introspection({ wire }: Scene) {
  const form = { grant_type: 'client_credentials' };
  const issued = expectStatus(await wire.call({ method: 'POST', path: ROUTES.token, headers: machine, form }), 200);
  const token = JSON.parse(issued.body).access_token;
  return async () => {
    const call = { method: 'POST' as const, path: ROUTES.introspection, headers: machine, form: { token } };
    if (!expectStatus(await wire.call(call), 200).body.includes('"active":true')) throw new Error('not active');
  };
}

async function userinfo(scene: Scene) {
  const { access_token: token } = await tokens(scene, 'app-es256', await signIn(scene, 'app-es256'));
  const call = { path: ROUTES.userinfo, headers: { authorization: `Bearer ${token}` } };
  return async () => {
    expectStatus(await scene.wire.call(call), 200);
  };
}

async function sessionList(scene: Scene) {
  const scope = 'openid account:read';
  const { access_token: token } = await tokens(scene, 'app-es256', await signIn(scene, 'app-es256', scope), scope);
  const call = { path: '/api/v1/account/sessions', headers: { authorization: `Bearer ${token}` } };
  return async () => {
    expectStatus(await scene.wire.call(call), 200);
  };
}

/** From no cookie to a code: authorization, the page, the password, the way back. */
async function passwordSignIn(scene: Scene) {
  return async () => {
    await signIn(scene, 'app-es256');
  };
}

/** Signs in as a browser would. @returns the cookies of the session. */
export async function signIn({ origin, person }: Scene, client: string, scope = SCOPE): Promise<string> {
  const visitor = createVisitor(origin);
  let page = await visitor.open(authorization(client, 'a challenge that nobody redeems, forty-three long', scope));
  if (page.url.includes('/login/')) {
    const form = formsOf(page).find(({ action }) => /^\/login\/[^/]+$/.test(action));
    if (!form) throw new Error(`no form at ${page.url}`);
    page = await visitor.submit(page, { email: person.email, password: person.password }, '^/login/[^/]+$');
  }
  if (!page.url.startsWith(CALLBACK)) throw new Error(`the sign-in ended at ${page.url} (${page.status})`);
  const session = [...visitor.cookies].filter(([name]) => /session/.test(name));
  return session.map(([name, { value }]) => `${name.split(' ')[0]}=${value}`).join('; ');
}

interface Tokens {
  access_token: string;
  refresh_token: string;
}

export async function tokens({ wire }: Scene, client: string, cookie: string, scope = SCOPE): Promise<Tokens> {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const asked = await wire.call({ path: authorization(client, challenge, scope), headers: { cookie } });
  const code = new URL(expectStatus(asked, 303).headers['location'] ?? '').searchParams.get('code');
  if (!code) throw new Error(`no code at ${asked.headers['location']}`);
  const form = { grant_type: 'authorization_code', client_id: client, code, redirect_uri: CALLBACK };
  const call = { method: 'POST' as const, path: ROUTES.token, form: { ...form, code_verifier: verifier } };
  return JSON.parse(expectStatus(await wire.call(call), 200).body);
}

const SCOPE = 'openid profile email';

function authorization(client: string, challenge: string, scope: string): string {
  const params = {
    client_id: client,
    response_type: 'code',
    scope,
    redirect_uri: CALLBACK,
    code_challenge: challenge.replace(/[^\w]/g, '-').slice(0, 43),
    code_challenge_method: 'S256',
  };
  return `${ROUTES.authorization}?${new URLSearchParams(params)}`;
}

function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status === status) return answer;
  throw new Error(`${answer.status} instead of ${status}: ${answer.body.slice(0, 500)}`);
}
