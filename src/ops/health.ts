/**
 * What a probe asks: `/livez`, the process answers; `/readyz`, it can do its work and wants more of it; `/healthz`,
 * both with the state of each part. No part's words leave the process, only its state.
 */
import type Router from '@koa/router';

export interface HealthOptions {
  database: { one(sql: string): Promise<unknown> };
  artifacts?: { ping(): Promise<void> } | undefined;
  draining(): boolean;
}

type State = 'up' | 'down' | 'draining';

export function mountHealth(router: Router, { database, draining }: HealthOptions): void {
  async function databaseState(): Promise<State> {
    return database.one('SELECT 1 AS up').then(
      () => 'up' as const,
      () => 'down' as const,
    );
  }

  router.get('/livez', (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    ctx.body = { status: 'up' };
  });

  router.get(['/readyz', '/healthz'], async (ctx) => {
    const parts = { database: await databaseState(), process: draining() ? ('draining' as const) : ('up' as const) };
    const ready = Object.values(parts).every((state) => state === 'up');
    ctx.set('Cache-Control', 'no-store');
    ctx.status = ready ? 200 : 503;
    if (!ready) ctx.set('Retry-After', '1');
    ctx.body = { status: ready ? 'up' : 'down', parts };
  });
}
