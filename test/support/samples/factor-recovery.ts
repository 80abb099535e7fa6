/** The way to be rid of lost factors: its pages and mails, as the routes and the feature give the data. */
import { account, ago, client, csrf, fault, longAccount, longClient, MINUTE, type Sample } from './people.ts';

const inDays = (days: number) => ago(-days * 24 * 60 - 1);
const flow = { csrf, client, errors: [], notice: null, account, backUrl: '/login/f1/factor' };
const wait = { unit: 'day', count: 3 };
const lost = {
  ...{ ...flow, state: 'offered', until: null, wait },
  ...{ action: '/login/f1/lost', cancelAction: '/login/f1/cancel' },
};
const code = {
  ...{ ...flow, does: 'start', email: account.email, minutes: 10, wait },
  ...{ action: '/login/f1/lost/code', resendAction: '/login/f1/lost/resend' },
};
const step = { ...flow, remember: { days: 30 }, cancelAction: '/login/f1/cancel', action: '/login/f1/totp' };
const ways = [{ kind: 'recovery', url: '/login/f1/recovery' }];
const url = '/login/f1/lost';
const area = { csrf, notice: null, errors: [], signOutAction: '/account/sign-out', nav: 'security' };

export const FACTOR_RECOVERY: Sample[] = [
  { id: 'lost', template: 'login/lost', data: lost },
  {
    id: 'lost-early',
    template: 'login/lost',
    data: { ...lost, state: 'early', until: inDays(2), wait: { unit: 'hour', count: 30 }, client: null },
  },
  { id: 'lost-waiting', template: 'login/lost', data: { ...lost, state: 'waiting', until: inDays(3) } },
  { id: 'lost-ready', template: 'login/lost', data: { ...lost, state: 'ready', until: inDays(7) } },
  {
    id: 'lost-faulty',
    template: 'login/lost',
    data: { ...lost, account: longAccount, client: longClient, errors: [fault('', 'too_many_codes', { minutes: 12 })] },
  },
  { id: 'lost-code', template: 'login/lost-code', data: { ...code, notice: 'resent' } },
  {
    id: 'lost-code-finish',
    template: 'login/lost-code',
    data: { ...code, does: 'finish', email: longAccount.email, errors: [fault('code', 'code_wrong', { left: 4 })] },
  },
  { id: 'totp-lost', template: 'login/totp', data: { ...step, ways, lost: { url, state: 'offered', until: null } } },
  {
    id: 'totp-lost-waiting',
    template: 'login/totp',
    data: { ...step, ways, lost: { url, state: 'waiting', until: inDays(3) } },
  },
  {
    id: 'totp-lost-ready',
    template: 'login/totp',
    data: { ...step, ways, lost: { url, state: 'ready', until: inDays(7) } },
  },
  {
    id: 'keep-factors',
    template: 'login/keep-factors',
    data: { action: '/security/keep-factors/l1', csrf, when: ago(90), until: inDays(3) },
  },
  { id: 'keep-factors-done', template: 'login/keep-factors-done', data: { securityUrl: '/account/security' } },
  {
    id: 'account-factors-waiting',
    template: 'account/recovery',
    data: {
      ...{ ...area, account: { ...account, factorRecovery: { endsAt: inDays(3) } }, codes: null, hasFactor: true },
      ...{ action: '/account/security/recovery', downloadAction: '/f', securityUrl: '/account/security' },
      count: { total: 10, left: 7, createdAt: ago(60 * 24 * 30) },
    },
  },
];

const when = '2026-11-23T20:15:00.000Z';
const from = { ip: '192.0.2.41', device: 'Firefox on Linux' };
const link = 'http://localhost:3000/security/keep-factors/a1.b2';
const until = new Date(Date.parse(when) + 3 * 24 * 60 * MINUTE).toISOString();

export const FACTOR_RECOVERY_MAILS: Sample[] = [
  ...[false, true].map((ready) => ({
    id: `factor-recovery-code${ready ? '-ready' : ''}`,
    template: 'factor-recovery-code',
    data: { code: '481516', minutes: 10, ready },
  })),
  {
    id: 'factor-recovery-started',
    template: 'factor-recovery',
    data: { what: 'started', when, until, link, ...from },
  },
  {
    id: 'factor-recovery-reminder',
    template: 'factor-recovery',
    data: { what: 'reminder', when, until, link, ip: null, device: null },
  },
  ...['finished', 'factor_used', 'lapsed', 'switched_off', 'password_reset', 'stopped_by_link'].map((outcome) => ({
    id: `factor-recovery-over-${outcome}`,
    template: 'factor-recovery-over',
    data: { outcome, when, ...from },
  })),
];
