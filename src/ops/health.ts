/**
 * What a probe asks: `/livez`, the process answers; `/readyz`, it can do its work and wants more of it; `/healthz`,
 * both with the state of each part. No part's words leave the process, only its state.
 */
import type Router from '@koa/router';
import type { WriteProbe } from './probe-store.ts';

export interface HealthOptions {
  database: WriteProbe;
  /** Redis, where it is configured. Without it the service works on, only slower. */
  volatile?: { state(): 'up' | 'degraded' } | undefined;
  draining(): boolean;
}

type State = 'up' | 'degraded' | 'down' | 'draining';
const SERVING: readonly State[] = ['up', 'degraded'];

export function mountHealth(router: Router, { database, volatile, draining }: HealthOptions): void {
  router.get('/livez', (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    ctx.body = { status: 'up' };
  });

  router.get(['/readyz', '/healthz'], async (ctx) => {
    const parts: Record<string, State> = {
      database: await database.state(),
      ...(volatile ? { redis: volatile.state() } : {}),
      process: draining() ? 'draining' : 'up',
    };
    const states = Object.values(parts);
    const ready = states.every((state) => SERVING.includes(state));
    const whole = states.every((state) => state === 'up');
    ctx.set('Cache-Control', 'no-store');
    ctx.status = ready ? 200 : 503;
    if (!ready) ctx.set('Retry-After', '1');
    ctx.body = { status: whole ? 'up' : ready ? 'degraded' : 'down', parts };
  });
}
