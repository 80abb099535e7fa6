/** My data: taking all of it along, and deleting the account. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { Deletion } from '../accounts/deletion.ts';
import type { Export } from '../accounts/export.ts';
import { type Area, Button, type Section } from './area.ts';

export interface DataDeps {
  deletion: Pick<Deletion, 'close' | 'graceMs'>;
  personalData: Export;
}

const DAY_MS = 86_400_000;

export function mountData(router: Router, area: Area, { deletion, personalData }: DataDeps): void {
  const { entrance, renderer, originOf } = area;
  const goneAt = () => (deletion.graceMs === 0 ? null : new Date(Date.now() + deletion.graceMs).toISOString());

  const data: Section = {
    name: 'data',
    nav: 'overview',
    freshAt: '/account/data',
    data: async () => ({ exportAction: '/account/data/export', deleteUrl: '/account/delete' }),
  };
  const deleting: Section = {
    name: 'delete',
    nav: 'overview',
    freshAt: '/account/delete',
    data: async () => ({
      action: '/account/delete',
      backUrl: '/account/data',
      days: Math.ceil(deletion.graceMs / DAY_MS),
      goneAt: goneAt(),
    }),
  };

  router.get('/account/data', area.page(data));

  router.post(
    '/account/data/export',
    area.action(data, Button, async (ctx, who) => {
      const all = await personalData.of(who.account, originOf(ctx));
      ctx.set('Cache-Control', 'no-store');
      ctx.attachment('account-data.json');
      ctx.type = 'application/json';
      ctx.body = `${JSON.stringify(all, null, 2)}\n`;
      return undefined;
    }),
  );

  router.get('/account/delete', area.page(deleting));

  router.post(
    '/account/delete',
    area.action(deleting, Button, async (ctx, who) => {
      await deletion.close(who.account, originOf(ctx));
      entrance.forget(ctx);
      return '/account/closed';
    }),
  );

  router.get('/account/closed', (ctx: Context) => {
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx, 'login/account-closed', { goneAt: goneAt(), loginUrl: '/account' });
  });
}
