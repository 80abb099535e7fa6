/** Mails, as the features enqueue their data. */
import type { Sample } from './people.ts';

const notice = {
  when: '2026-11-23T20:15:00.000Z',
  ip: '192.0.2.41',
  device: 'Firefox on Linux',
  place: 'Lyon, France',
  link: 'http://localhost:3000/security/not-me/a1.b2',
};

export const MAILS: Sample[] = [
  { id: 'verify', template: 'verify', data: { code: '481516', minutes: 10, name: 'Ada Lovelace', link: null } },
  {
    id: 'verify-link',
    template: 'verify',
    data: { code: '481516', minutes: 10, name: null, link: 'http://localhost:3000/verify/f1?k=1' },
  },
  { id: 'exists', template: 'exists', data: {} },
  { id: 'exists-change', template: 'exists', data: { change: true } },
  { id: 'reset', template: 'reset', data: { code: '481516', minutes: 10 } },
  {
    id: 'password-changed',
    template: 'password-changed',
    data: { when: '2026-11-23T20:15:00.000Z', ip: '192.0.2.41', device: 'Firefox on Linux' },
  },
  { id: 'change-email', template: 'change-email', data: { code: '481516', minutes: 10 } },
  {
    id: 'email-changed',
    template: 'email-changed',
    data: {
      when: '2026-11-23T20:15:00.000Z',
      ip: '192.0.2.41',
      device: 'Firefox on Linux',
      address: 'ada@lovelace.example',
      link: 'http://localhost:3000/email/restore/0199f3.kq2Yv7b2Rk4w1aQ0s9uTzXc5e8gHjKlMnPqRsTuVwXy',
      days: 7,
    },
  },
  {
    id: 'account-closed',
    template: 'account-closed',
    data: {
      when: '2026-11-23T20:15:00.000Z',
      ip: '192.0.2.41',
      device: 'Firefox on Linux',
      until: '2026-12-07T20:15:00.000Z',
    },
  },
  {
    id: 'account-closed-at-once',
    template: 'account-closed',
    data: { when: '2026-11-23T20:15:00.000Z', ip: null, device: null, until: null },
  },
  {
    id: 'invitation',
    template: 'invitation',
    data: { link: 'http://localhost:3000/invitation/a1.b2', inviter: 'Grace Hopper', days: 7 },
  },
  {
    id: 'sign-in',
    template: 'sign-in',
    data: {
      code: '481516',
      link: 'http://localhost:3000/sign-in/a1.b2',
      minutes: 10,
      application: 'Acme Notes',
      device: 'Firefox on Linux',
      ip: '192.0.2.41',
    },
  },
  { id: 'new-device', template: 'new-device', data: notice },
  { id: 'new-device-bare', template: 'new-device', data: { ...notice, ip: null, place: null } },
  { id: 'after-failures', template: 'after-failures', data: { ...notice, failures: 4 } },
  { id: 'half-way', template: 'half-way', data: notice },
  {
    id: 'disowned',
    template: 'disowned',
    data: { when: notice.when, ip: notice.ip, device: notice.device },
  },
  ...['added', 'removed', 'codes', 'used', 'reset'].map((change) => ({
    id: `factor-${change}`,
    template: 'factor-changed',
    data: {
      ...{ change, kind: 'totp', name: change === 'added' ? 'Work phone' : null, left: change === 'used' ? 9 : 0 },
      ...{ when: '2026-11-23T20:15:00.000Z', ip: '192.0.2.41', device: 'Firefox on Linux' },
    },
  })),
  { id: 'test', template: 'test', data: {} },
];
