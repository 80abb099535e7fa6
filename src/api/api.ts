/** What stands around the API's routes: problem+json, cross-origin rules, nothing stored. Other paths are passed on. */
import type Router from '@koa/router';
import type { Middleware } from 'koa';
import { apiCors } from '../http/cors.ts';
import { type ProblemOptions, problems } from '../http/problem.ts';

export interface ApiOptions extends ProblemOptions {
  /** With every route of the API mounted. */
  router: Router;
  /** Whether an enabled client has this web origin. */
  originAllowed(origin: string): Promise<boolean>;
}

/** Answers everything under /api/ and /openapi.json itself, a 404 and 405 too. */
export function createApi({ router, originAllowed, ...options }: ApiOptions): Middleware {
  const noStore: Middleware = (ctx, next) => {
    ctx.set('Cache-Control', 'no-store');
    return next();
  };
  const layers: Middleware[] = [
    problems(options),
    apiCors({ allowed: originAllowed }),
    noStore,
    router.routes() as Middleware,
    router.allowedMethods() as Middleware,
  ];
  return (ctx, next) => {
    if (!ctx.path.startsWith('/api/') && ctx.path !== '/openapi.json') return next();
    const from = (index: number): Promise<unknown> =>
      Promise.resolve(layers[index]?.(ctx, () => from(index + 1) as Promise<void>));
    return from(0);
  };
}
