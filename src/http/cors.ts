/**
 * Cross-origin access to the account API: registered clients' origins only, with bearer tokens, never with cookies
 * (SECURITY P23). Any other origin gets an answer without a word of CORS, which its browser keeps from the page.
 */
import cors from '@koa/cors';
import type { Middleware } from 'koa';

export interface ApiCorsOptions {
  /** Does an enabled client have this origin? Asked only about well-formed http(s) origins, never about `null`. */
  allowed: (origin: string) => Promise<boolean>;
}

export function apiCors({ allowed }: ApiCorsOptions): Middleware {
  const headers = cors({
    origin: async (ctx) => {
      const origin = ctx.get('Origin');
      return isOrigin(origin) && (await allowed(origin)) ? origin : '';
    },
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type', 'DPoP'],
    exposeHeaders: ['WWW-Authenticate', 'DPoP-Nonce', 'Retry-After', 'X-Request-ID'],
    maxAge: 600,
  });
  return (ctx, next) =>
    headers(ctx, async () => {
      // A preflight of an unknown origin carries no token: it must not reach a route that would ask for one.
      if (ctx.method === 'OPTIONS' && ctx.get('Access-Control-Request-Method')) ctx.status = 204;
      else await next();
    });
}

function isOrigin(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
