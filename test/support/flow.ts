/** A person and a client going through the authorization code flow by HTTP. */
import { createHash, randomBytes } from 'node:crypto';
import type { TestApp } from './app.ts';
import { createVisitor, type Page, type Visitor } from './visitor.ts';

export const PASSWORD = 'a long enough sentence';
export const CALLBACK = 'http://127.0.0.1:9/callback';

export interface Person {
  email: string;
  name: string;
  password: string;
  id: string;
}

let count = 0;

/** An account that exists and is verified, without going through registration. */
export async function somebody(app: TestApp, changes: Partial<Person> = {}): Promise<Person> {
  count += 1;
  const person = { email: `person${count}@example.com`, name: `Person ${count}`, password: PASSWORD, ...changes };
  const account = await app.services.accounts.create({ ...person, verified: true });
  return { ...person, id: account.id };
}

export interface Request {
  verifier: string;
  url: string;
  state: string;
}

/** An authorization request with PKCE. */
export function authorizationRequest(
  app: TestApp,
  clientId: string,
  params: Record<string, string | undefined> = {},
): Request {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(8).toString('hex');
  const all = {
    client_id: clientId,
    response_type: 'code',
    scope: 'openid profile email',
    redirect_uri: CALLBACK,
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...params,
  };
  const present = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { verifier, state, url: `${app.url}/oauth2/authorize?${new URLSearchParams(present)}` };
}

export async function signIn(visitor: Visitor, page: Page, person: Pick<Person, 'email' | 'password'>): Promise<Page> {
  return visitor.submit(page, { email: person.email, password: person.password }, '^/login/[^/]+$');
}

export const codeOf = (page: Page) => new URL(page.url).searchParams.get('code');

export interface TokenAnswer {
  status: number;
  body: Record<string, unknown> & { access_token: string; refresh_token?: string; id_token?: string; error?: string };
  headers: Headers;
}

/** A request to the token endpoint; a client with a secret authenticates by client_secret_basic. */
export async function token(
  app: TestApp,
  client: { client_id: string; client_secret?: string | undefined },
  params: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<TokenAnswer> {
  const basic: Record<string, string> = client.client_secret
    ? {
        authorization: `Basic ${Buffer.from(`${encodeURIComponent(client.client_id)}:${encodeURIComponent(client.client_secret)}`).toString('base64')}`,
      }
    : {};
  const body = new URLSearchParams(client.client_secret ? params : { client_id: client.client_id, ...params });
  const response = await fetch(`${app.url}/oauth2/token`, { method: 'POST', headers: { ...basic, ...headers }, body });
  return { status: response.status, body: (await response.json()) as TokenAnswer['body'], headers: response.headers };
}

export interface SignedIn {
  visitor: Visitor;
  person: Person;
  client: { client_id: string; client_secret: string };
  tokens: TokenAnswer['body'];
}

/** A person signed in to an application: browser session, grant and tokens. */
export async function signedIn(
  app: TestApp,
  options: {
    person?: Person;
    client?: SignedIn['client'];
    scope?: string;
    visitor?: Visitor;
    params?: Record<string, string>;
  } = {},
): Promise<SignedIn> {
  const person = options.person ?? (await somebody(app));
  const client = options.client ?? (await app.client());
  const visitor = options.visitor ?? createVisitor(app.url, { 'user-agent': FIREFOX });
  const request = authorizationRequest(app, client.client_id, {
    scope: options.scope ?? 'openid profile email',
    ...options.params,
  });
  let page = await visitor.open(request.url);
  if (page.url.includes('/login/')) page = await signIn(visitor, page, person);
  const code = codeOf(page);
  if (!code) throw new Error(`no code at ${page.url}: ${page.html.slice(0, 1500)}`);
  const answer = await token(app, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: CALLBACK,
    code_verifier: request.verifier,
  });
  if (answer.status !== 200) throw new Error(`the code was refused: ${JSON.stringify(answer.body)}`);
  return { visitor, person, client, tokens: answer.body };
}

export const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';
