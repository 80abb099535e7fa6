/** Browsers that skip my second step, and how each is asked again. */
import type Router from '@koa/router';
import type { Remembered } from '../factors/remembered.ts';
import { describeDevice } from '../sessions/device.ts';
import { type Area, Button, type Section } from './area.ts';

const PATH = '/account/security/devices';

export function mountDevices(router: Router, area: Area, { remembered }: { remembered: Remembered }): void {
  const section: Section = {
    name: 'devices',
    nav: 'security',
    async data({ account }, ctx) {
      const devices = await remembered.list(account.id, ctx);
      return {
        days: remembered.days,
        devices: devices.map(({ id, current, userAgent, ip, createdAt, lastUsedAt, expiresAt }) => ({
          current,
          device: describeDevice(userAgent),
          ip,
          createdAt: iso(createdAt),
          lastUsedAt: iso(lastUsedAt),
          expiresAt: iso(expiresAt),
          forgetAction: `${PATH}/${id}/forget`,
        })),
      };
    },
  };

  router.get(PATH, area.page(section));

  router.post(`${PATH}/:id/forget`, async (ctx) => {
    const forget = area.action(section, Button, async (_ctx, { account }) => {
      await remembered.forget(account.id, String(ctx['params'].id), area.originOf(ctx));
      return `${PATH}?notice=device-forgotten`;
    });
    await forget(ctx);
  });
}

const iso = (at: number) => new Date(at).toISOString();
