/** Calls about browsers that skip the second step of an account. */
import { z } from 'zod';
import type { RememberedDevice } from '../factors/remembered.ts';
import { describeDevice } from '../sessions/device.ts';
import { PageQuery } from './fields.ts';
import type { Operation } from './operation.ts';

const instant = z.iso.datetime().meta({ example: '2026-11-02T08:12:44.000Z' });

const DeviceAnswer = z
  .strictObject({
    id: z.string(),
    current: z.boolean().meta({ description: 'The browser of this very request; never so for an application.' }),
    created_at: instant,
    last_used_at: instant,
    expires_at: instant.meta({ description: 'From then on it is asked for the second step again.' }),
    ip: z.string().nullable(),
    device: z.strictObject({
      name: z.string().meta({ description: 'In words, such as “Firefox on Linux”.' }),
      browser: z.string().nullable(),
      os: z.string().nullable(),
    }),
  })
  .meta({ id: 'Device' });

const DeviceList = z
  .strictObject({
    items: z.array(DeviceAnswer),
    next: z.string().nullable().meta({ description: 'Send it as `cursor` for the next page; null on the last one.' }),
  })
  .meta({ id: 'DeviceList' });

export function deviceAnswer(device: RememberedDevice): z.output<typeof DeviceAnswer> {
  const { id, current, userAgent, ip, createdAt, lastUsedAt, expiresAt } = device;
  const times = { created_at: iso(createdAt), last_used_at: iso(lastUsedAt), expires_at: iso(expiresAt) };
  return { id, current, ...times, ip, device: describeDevice(userAgent) };
}

const iso = (at: number) => new Date(at).toISOString();

const EXAMPLE: z.output<typeof DeviceList> = {
  items: [
    {
      id: '019a3f2c7e51002aYv2b7Rk4w1aQ',
      current: false,
      created_at: '2026-11-02T08:12:44.000Z',
      last_used_at: '2026-11-09T07:58:02.000Z',
      expires_at: '2026-12-02T08:12:44.000Z',
      ip: '192.0.2.7',
      device: { name: 'Firefox on Linux', browser: 'Firefox', os: 'Linux' },
    },
  ],
  next: null,
};

export const DEVICES: Operation[] = [
  {
    id: 'listDevices',
    method: 'get',
    path: '/api/v1/account/devices',
    tag: 'Sessions',
    summary: 'Browsers that skip the second step',
    description:
      'Where the person asked not to be asked for the second step for a time, the last used first. Neither what an application demands nor a fresh proof is skipped there.',
    scope: 'account:read',
    query: PageQuery,
    answer: { description: 'A page of browsers.', schema: DeviceList, example: EXAMPLE },
    errors: [],
  },
  {
    id: 'forgetDevice',
    method: 'delete',
    path: '/api/v1/account/devices/{id}',
    tag: 'Sessions',
    summary: 'Ask a browser for the second step again',
    description: 'Its sessions go on; the next sign-in there asks for both steps.',
    scope: 'account:write',
    params: z.object({ id: z.string().meta({ description: 'The `id` of an entry of the list.' }) }),
    answer: { description: 'The browser is asked again.' },
    errors: ['not_found'],
  },
];
