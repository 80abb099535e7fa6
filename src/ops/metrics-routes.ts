/** `GET /metrics`: for who has the token; in development also for this machine. Without either it does not exist. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type Router from '@koa/router';
import type { Context } from 'koa';
import { AppError } from '../errors.ts';
import { requestContext } from '../http/request-context.ts';
import type { Metrics } from './metrics.ts';

export const METRICS_PATH = '/metrics';

export interface MetricsRouteOptions {
  registry: Metrics['registry'];
  token: string | undefined;
  development: boolean;
}

const digest = (text: string) => createHash('sha256').update(text).digest();

export function mountMetrics(router: Router, { registry, token, development }: MetricsRouteOptions): void {
  const expected = token === undefined ? undefined : digest(token);

  function admit(ctx: Context): void {
    const { peer, forwarded } = requestContext(ctx.req);
    const neighbour = development && !forwarded && /^(127\.|::1$)/.test(peer);
    const authorization = ctx.get('authorization');
    if (neighbour && authorization === '') return;
    if (!expected) {
      if (neighbour) return;
      throw new AppError('not_found');
    }
    // Digests have one length, whatever was sent.
    const given = /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '';
    if (!timingSafeEqual(digest(given), expected)) {
      throw new AppError('unauthenticated', {
        message: 'The metrics want the value of LATCHKEY_METRICS_TOKEN as a bearer token.',
        headers: { 'WWW-Authenticate': 'Bearer realm="metrics"' },
      });
    }
  }

  router.get(METRICS_PATH, async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    admit(ctx);
    ctx.set('Content-Type', registry.contentType);
    ctx.body = await registry.metrics();
  });
}
