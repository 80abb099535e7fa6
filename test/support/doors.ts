/** Every endpoint with a well-formed request, for tests that spoil one thing at a time. */
import type { TestContext } from 'node:test';
import { type AppOptions, startApp, type TestApp } from './app.ts';
import { authorizationRequest, CALLBACK, FIREFOX, type SignedIn, signedIn } from './flow.ts';
import { apiDoors, pageDoors, plainDoors } from './page-doors.ts';
import { protocolDoors } from './protocol-doors.ts';
import { createVisitor, formsOf, type Visitor } from './visitor.ts';

export const SIGNED_OUT = 'http://127.0.0.1:9/signed-out';
export const RESOURCE = 'https://api.example.com';
export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** In which words an endpoint refuses: OAuth's JSON, problem+json, or a page. */
export type Format = 'oauth' | 'problem' | 'page';

export interface Door {
  name: string;
  method: string;
  path: string;
  /** Where the parameters are. */
  place: 'query' | 'form' | 'json';
  params: Record<string, string>;
  /** Without any of these the request is refused. */
  required: string[];
  headers: Record<string, string>;
  format: Format;
  /** What the well-formed request gets: where it needs something that is not there, a refusal too. */
  status: number;
}

/** A door before it was said what its well-formed request gets. */
export type Plan = Omit<Door, 'status'>;

/** What the doors' requests are made of. */
export interface Setting extends SignedIn {
  app: TestApp;
  log: string[];
  /** Cookies of a browser that is signed in, and of one on its way. */
  cookies: { signedIn: string; underWay: string };
  /** The sign-in that is under way. */
  flow: string;
}

export interface Stage extends Setting {
  doors: Door[];
}

export const cookiesOf = (visitor: Visitor) =>
  [...visitor.cookies].map(([key, { value }]) => `${key.split(' ')[0]}=${value}`).join('; ');

const CONFIG = `
resources:
  - identifier: ${RESOURCE}
    name: Example API
    scopes:
      - name: things:read
        title: See your things
`;

/** All others get 200. */
const STATUS: Record<string, number> = {
  authorize: 303,
  'token authorization_code': 400,
  [`token ${DEVICE_GRANT}`]: 400,
  par: 201,
  'device by POST': 400,
  'logout/confirm': 400,
  'GET /verify/:uid': 410,
  'GET /reset/:uid': 410,
  'GET /consent/:uid': 303,
  '/login/:uid': 400,
  '/register/:uid': 400,
  '/verify/:uid': 410,
  '/verify/:uid/resend': 410,
  '/forgot/:uid': 400,
  '/reset/:uid': 410,
  '/reset/:uid/resend': 410,
  '/consent/:uid': 303,
  '/invitation/unknown': 403,
  '/account': 303,
  '/account/security/password': 400,
  '/account/sessions/unknown/end': 404,
  '/account/apps/unknown/remove': 404,
  '/account/security/devices/unknown/forget': 404,
  '/security/not-me/unknown': 403,
  '/security/keep-factors/unknown': 403,
  '/account/security/keep-factors': 303,
  '/account/callback': 400,
  'POST /api/v1/account/password': 400,
  'DELETE /api/v1/account/sessions': 204,
  'DELETE /api/v1/account/sessions/unknown': 404,
  'DELETE /api/v1/account/apps/unknown': 404,
  'DELETE /api/v1/account/devices/unknown': 404,
  '/': 302,
};

export async function createStage(t: TestContext, options: AppOptions = {}): Promise<Stage> {
  const log: string[] = [];
  const app = await startApp(t, { config: CONFIG, onLog: (line) => log.push(line), ...options });
  const client = await app.client({
    redirect_uris: [CALLBACK],
    post_logout_redirect_uris: [SIGNED_OUT],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials', DEVICE_GRANT],
  });
  const scope = 'openid profile email account:read account:write';
  const user = await signedIn(app, { client, scope });
  const stranger = createVisitor(app.url, { 'user-agent': FIREFOX });
  const loginPage = await stranger.open(authorizationRequest(app, client.client_id).url);
  const flow = loginPage.url.split('/').at(-1) as string;
  const accountPage = await user.visitor.open('/account');
  const devicePage = await user.visitor.open('/device');
  const signOutPage = await user.visitor.open('/oauth2/logout');
  const token = (page: { html: string }, name: string) =>
    formsOf(page)
      .map(({ fields }) => fields[name])
      .find((value) => value !== undefined) as string;
  const stage: Setting = {
    ...user,
    app,
    log,
    flow,
    cookies: { signedIn: cookiesOf(user.visitor), underWay: cookiesOf(stranger) },
  };
  const doors = [
    ...protocolDoors(stage, { device: token(devicePage, 'xsrf'), signOut: token(signOutPage, 'xsrf') }),
    ...pageDoors(stage, { flow: token(loginPage, 'csrf'), account: token(accountPage, 'csrf') }),
    ...apiDoors(stage),
    ...plainDoors(),
  ].map((plan): Door => ({ ...plan, status: STATUS[plan.name] ?? 200 }));
  return { ...stage, doors };
}
