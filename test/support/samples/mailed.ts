/** Signing in by mail, what follows it, and what an account is told of its sign-ins, as the routes give the data. */
import { account, ago, client, csrf, fault, longAccount, longClient, type Sample } from './people.ts';

const mailed = {
  csrf,
  client,
  errors: [],
  notice: null,
  action: '/login/f1/email/code',
  resendAction: '/login/f1/email/resend',
  confirmedAction: '/login/f1/email/confirmed',
  restartUrl: '/login/f1',
  email: account.email,
  words: 'KFT NWX',
  minutes: 10,
};
const link = {
  csrf,
  here: false,
  action: '/sign-in/l1',
  refuseAction: '/sign-in/l1/refuse',
  email: account.email,
  application: 'Acme Notes',
  device: 'Firefox on Linux',
  ip: '192.0.2.41',
  at: ago(2),
  errors: [],
};

export const MAILED: Sample[] = [
  { id: 'mailed', template: 'login/mailed', data: { ...mailed, notice: 'sent' } },
  {
    id: 'mailed-faulty',
    template: 'login/mailed',
    data: { ...mailed, client: longClient, email: longAccount.email, errors: [fault('', 'not_confirmed')] },
  },
  { id: 'mailed-link', template: 'login/mailed-link', data: link },
  { id: 'mailed-link-here', template: 'login/mailed-link', data: { ...link, here: true } },
  {
    id: 'mailed-link-faulty',
    template: 'login/mailed-link',
    data: {
      ...link,
      email: longAccount.email,
      application: null,
      ip: null,
      errors: [fault('words', 'letters_wrong', { left: 3 })],
    },
  },
  { id: 'mailed-confirmed', template: 'login/mailed-done', data: { outcome: 'confirmed' } },
  {
    id: 'not-me',
    template: 'login/not-me',
    data: {
      action: '/security/not-me/l1',
      csrf,
      when: '2026-11-23T20:15:00.000Z',
      device: 'Firefox on Linux',
      ip: '192.0.2.41',
      place: 'Lyon, France',
    },
  },
  { id: 'not-me-done', template: 'login/not-me-done', data: { loginUrl: '/account' } },
  { id: 'mailed-refused', template: 'login/mailed-done', data: { outcome: 'refused' } },
];
