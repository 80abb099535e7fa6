/** Steady requests of every kind from a signed-in person and an application, with each answer judged. */
import type { TestContext } from 'node:test';
import type { TestApp } from './app.ts';
import { authorizationRequest, CALLBACK, PASSWORD, type SignedIn, signedIn } from './flow.ts';
import { inside } from './inside.ts';
import type { Issuer } from './issuer.ts';
import { createVisitor } from './visitor.ts';

export interface Answered {
  what: string;
  status: number;
  /** Milliseconds from asking to the whole answer. */
  ms: number;
  retryAfter: string | null;
  /** What the connection said when no answer came. */
  broken?: string;
}

/** `away`: 503 with Retry-After; anything but `good` and `away` is a broken promise. */
export const judged = ({ status, retryAfter, broken }: Answered): 'good' | 'away' | 'wrong' =>
  broken !== undefined ? 'wrong' : status < 400 ? 'good' : status === 503 && retryAfter !== null ? 'away' : 'wrong';

export interface Traffic {
  answers: Answered[];
  /** Ends when every request under way has its answer. */
  stop(): Promise<void>;
}

/** Somebody with a password, and an application with a secret. */
export type Users = Pick<SignedIn, 'person' | 'client'>;

/** Signs one person in and goes on asking with `workers` connections, each with a rest of `restMs` between requests.
 * @param options.users who they are; new ones when absent. */
export async function startTraffic(
  t: TestContext,
  issuer: Issuer,
  { workers = 4, restMs = 10, users }: { workers?: number; restMs?: number; users?: Users } = {},
): Promise<Traffic> {
  const app = issuer as unknown as TestApp;
  const { person, client } = users ?? (await newUsers(issuer));
  const { tokens, visitor } = await signedIn(app, {
    person,
    client,
    scope: 'openid profile email account:read',
  });
  const basic = `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')}`;
  const bearer = { authorization: `Bearer ${tokens.access_token}` };
  const refresh = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token as string });
  const requests: Record<string, () => Promise<Response>> = {
    refresh: () =>
      fetch(`${issuer.url}/oauth2/token`, { method: 'POST', headers: { authorization: basic }, body: refresh }),
    userinfo: () => fetch(`${issuer.url}/oauth2/userinfo`, { headers: bearer }),
    account: () => fetch(`${issuer.url}/api/v1/account`, { headers: bearer }),
    sessions: () => fetch(`${issuer.url}/api/v1/account/sessions`, { headers: bearer }),
    begin: () =>
      createVisitor(issuer.url).request(authorizationRequest(app, client.client_id, { prompt: 'login' }).url),
    silent: () => visitor.request(authorizationRequest(app, client.client_id, { prompt: 'none' }).url),
    page: () => visitor.request('/account'),
  };
  const answers: Answered[] = [];
  let stopped = false;

  async function ask(what: string, request: () => Promise<Response>): Promise<void> {
    const started = performance.now();
    try {
      const response = await request();
      await response.arrayBuffer();
      const retryAfter = response.headers.get('retry-after');
      const refused = /[?&]error=(\w+)/.exec(response.headers.get('location') ?? '')?.[1];
      const status = refused === undefined ? response.status : refused === 'temporarily_unavailable' ? 503 : 400;
      answers.push({ what, status, ms: performance.now() - started, retryAfter: refused ? '-' : retryAfter });
    } catch (error) {
      const cause = (error as Error).cause;
      const broken = cause instanceof Error ? cause.message : String(error);
      answers.push({ what, status: 0, ms: performance.now() - started, retryAfter: null, broken });
    }
  }

  async function work(offset: number): Promise<void> {
    const all = Object.entries(requests);
    for (let n = offset; !stopped; n += 1) {
      const [what, request] = all[n % all.length] as (typeof all)[number];
      await ask(what, request);
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
    }
  }

  t.after(() => {
    stopped = true;
  });
  const working = Array.from({ length: workers }, (_each, n) => work(n * 2));
  return {
    answers,
    async stop() {
      stopped = true;
      await Promise.all(working);
    },
  };
}

/** Somebody with a password, and an application with a secret. */
export function newUsers(issuer: Issuer): Promise<Users> {
  return inside(issuer, async ({ accounts, clients }) => {
    const email = `load-${Date.now().toString(36)}@example.com`;
    const account = await accounts.create({ email, name: 'Load', password: PASSWORD, verified: true });
    const metadata = { client_name: 'Load', first_party: true, redirect_uris: [CALLBACK] };
    const made = (await clients.create({ source: 'cli', metadata })) as { client_id: string; client_secret: string };
    return { person: { email, name: 'Load', password: PASSWORD, id: account.id }, client: made };
  });
}

/** The first few broken promises in words, or nothing. */
export function wrongOf(answers: readonly Answered[]): string[] {
  return answers
    .filter((answer) => judged(answer) === 'wrong')
    .slice(0, 5)
    .map(({ what, status, broken }) => `${what}: ${broken ?? status}`);
}
