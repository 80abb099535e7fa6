/** Doors to the browsers that skip the second step. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { Origin } from '../audit/events.ts';
import type { Remembered } from '../factors/remembered.ts';
import { readQuery } from '../http/body.ts';
import type { WhoAsks } from './caller.ts';
import { deviceAnswer } from './device-operations.ts';
import { NoQuery, PageQuery } from './fields.ts';
import { compareKeys, type Order, pageOf } from './paging.ts';

export interface DeviceDeps {
  caller: WhoAsks;
  remembered: Pick<Remembered, 'list' | 'forget'>;
  originOf(ctx: Context): Origin;
}

export function mountDeviceApi(router: Router, { caller, remembered, originOf }: DeviceDeps): void {
  router.get('/api/v1/account/devices', async (ctx) => {
    const { accountId, via } = await caller(ctx, 'account:read');
    const query = readQuery(ctx, PageQuery);
    const devices = await remembered.list(accountId, via === 'cookie' ? ctx : undefined);
    ctx.body = pageOf(devices.map(deviceAnswer), query, BY_LAST_USE);
  });

  router.delete('/api/v1/account/devices/:id', async (ctx) => {
    const { accountId } = await caller(ctx, 'account:write');
    readQuery(ctx, NoQuery);
    await remembered.forget(accountId, String(ctx.params['id']), originOf(ctx));
    ctx.status = 204;
  });
}

const BY_LAST_USE: Order<ReturnType<typeof deviceAnswer>> = {
  keyOf: ({ last_used_at, id }) => [last_used_at, id],
  compare: compareKeys('down', 'up'),
};
