/**
 * The account API put together: its routes and description, and around them problem+json, cross-origin rules, and
 * nothing stored. Owns no rule.
 */
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import type { SecondFactorRule } from '../access/second-factor.ts';
import { apiCors } from '../http/cors.ts';
import type { I18n } from '../http/i18n.ts';
import { type ProblemOptions, problems } from '../http/problem.ts';
import { cookieNames, ROUTES } from '../oidc/provider.ts';
import { type BrowserSession, type CallerOptions, createCaller } from './caller.ts';
import { mountOpenApi } from './docs-routes.ts';
import type { OpenApi } from './openapi.ts';
import { type AccountApiDeps, mountAccountApi } from './routes.ts';
import { createExplain } from './words.ts';

export interface AccountApiOptions extends Omit<AccountApiDeps, 'caller'> {
  issuer: string;
  secureCookies: boolean;
  log: ProblemOptions['log'];
  i18n: Pick<I18n, 'has' | 't'>;
  csrf: CallerOptions['csrf'];
  /** The living account and session of the browser's cookie. */
  entrance: { signedIn(ctx: Context): Promise<{ session: BrowserSession } | undefined> };
  isFresh: CallerOptions['isFresh'];
  secondFactor: Pick<SecondFactorRule, 'suffices' | 'sufficesHere'>;
  findAccessToken: CallerOptions['bearer'];
  clients: { originAllowed(origin: string): Promise<boolean> };
  /** Limits of requests by source. */
  limits: Middleware[];
}

export interface AccountApi {
  /** Answers everything under /api/ and /openapi.json itself, 404 and 405 too, and passes other paths on. */
  middleware: Middleware;
  document(): Promise<OpenApi>;
}

export function createAccountApi(options: AccountApiOptions): AccountApi {
  const { issuer, secureCookies, i18n, csrf, entrance, findAccessToken, clients, isFresh, secondFactor } = options;
  let described: Promise<OpenApi> | undefined;
  const document = () => {
    described ??= describe();
    return described;
  };
  const browser = async (ctx: Context) => (await entrance.signedIn(ctx))?.session;
  // What a browser remembers is no part of a token.
  const suffices: CallerOptions['suffices'] = (ctx, who) =>
    who.via === 'cookie' ? secondFactor.sufficesHere(ctx, who) : secondFactor.suffices(who);
  const caller = createCaller({ bearer: findAccessToken, browser, csrf, isFresh, suffices });
  const router = new Router();
  mountAccountApi(router, { ...options, caller });
  mountOpenApi(router, document);

  const layers: Middleware[] = [
    problems({ log: options.log, explain: createExplain(i18n) }),
    apiCors({ allowed: clients.originAllowed }),
    ...options.limits,
    noStore,
    router.routes() as Middleware,
    router.allowedMethods() as Middleware,
  ];
  return { document, middleware: inOrder(layers) };

  /** Loaded at the first reader: what puts it together is large. */
  async function describe(): Promise<OpenApi> {
    const { createOpenApi } = await import('./openapi.ts');
    return createOpenApi({
      issuer,
      authorizationPath: ROUTES.authorization,
      tokenPath: ROUTES.token,
      sessionCookie: cookieNames(secureCookies).session,
    });
  }
}

const noStore: Middleware = (ctx, next) => {
  ctx.set('Cache-Control', 'no-store');
  return next();
};

function inOrder(layers: Middleware[]): Middleware {
  return (ctx, next) => {
    if (!ctx.path.startsWith('/api/') && ctx.path !== '/openapi.json') return next();
    const from = async (index: number): Promise<void> => layers[index]?.(ctx, () => from(index + 1));
    return from(0);
  };
}
