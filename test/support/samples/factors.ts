/** Factors, on the way in and in the account area, as the routes give the data. */
import { qrCode } from '../../../src/factors/qr-code.ts';
import { account, ago, client, csrf, fault, longAccount, type Sample } from './people.ts';

const SECRET = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
const URI = `otpauth://totp/Latchkey:ada.lovelace%40example.org?issuer=Latchkey&secret=${SECRET}&algorithm=SHA1&digits=6&period=30`;
const setup = { secret: SECRET, uri: URI, qr: qrCode(URI) };
const codes = Array.from({ length: 10 }, (_, index) => `7K2M-9QXR-${index}T4W-HZ8C`);

const flow = { csrf, client, errors: [], notice: null };
const step = { ...flow, account, remember: { days: 30 }, cancelAction: '/login/f1/cancel' };
const totp = { ...step, action: '/login/f1/totp', ways: [{ kind: 'recovery', url: '/login/f1/recovery' }] };
const recovery = {
  ...step,
  action: '/login/f1/recovery',
  ways: [
    { kind: 'passkey', url: '/login/f1/passkey' },
    { kind: 'totp', url: '/login/f1/totp' },
  ],
};
const protect = { ...flow, action: '/login/f1/protect/totp', backUrl: '/login/f1/protect', setup, name: '' };
const save = {
  ...{ ...flow, account, action: '/login/f1/protect/recovery' },
  ...{ codes: null, downloadAction: null, doneAction: null },
};

const area = { account, csrf, notice: null, errors: [], signOutAction: '/account/sign-out', nav: 'security' };
const totps = {
  ...{ ...area, newUrl: '/account/security/totp/new', securityUrl: '/account/security' },
  totps: [
    { id: 't1', name: 'Work phone', createdAt: ago(60 * 24 * 200), lastUsedAt: ago(95) },
    { id: 't2', name: null, createdAt: ago(60 * 24), lastUsedAt: null },
  ].map((each) => ({ ...each, renameAction: `/r/${each.id}`, removeAction: `/d/${each.id}` })),
};
const add = { ...area, action: '/account/security/totp/new', backUrl: '/account/security/totp', setup, name: '' };
const saved = {
  ...{ ...area, action: '/account/security/recovery', securityUrl: '/account/security', codes: null },
  ...{ hasFactor: true, downloadAction: '/account/security/recovery/file' },
  count: { total: 10, left: 7, createdAt: ago(60 * 24 * 30) },
};

export const FACTORS: Sample[] = [
  { id: 'totp', template: 'login/totp', data: totp },
  {
    id: 'totp-faulty',
    template: 'login/totp',
    data: { ...totp, account: longAccount, errors: [fault('code', 'totp_wrong', { left: 3 })] },
  },
  { id: 'recovery', template: 'login/recovery', data: recovery },
  {
    id: 'recovery-faulty',
    template: 'login/recovery',
    data: { ...recovery, client: null, ways: [], errors: [fault('code', 'recovery_used', { left: 1 })] },
  },
  { id: 'protect-totp', template: 'login/protect-totp', data: protect },
  {
    id: 'protect-totp-faulty',
    template: 'login/protect-totp',
    data: { ...protect, client: null, name: 'x', errors: [fault('code', 'totp_wrong_first')] },
  },
  { id: 'protect-recovery', template: 'login/protect-recovery', data: save },
  {
    id: 'protect-recovery-shown',
    template: 'login/protect-recovery',
    data: { ...save, action: null, codes, downloadAction: '/f', doneAction: '/d' },
  },
  { id: 'account-totp', template: 'account/totp', data: totps },
  { id: 'account-totp-none', template: 'account/totp', data: { ...totps, totps: [], notice: 'factor-removed' } },
  { id: 'account-totp-new', template: 'account/totp-new', data: add },
  {
    id: 'account-totp-new-faulty',
    template: 'account/totp-new',
    data: { ...add, errors: [fault('code', 'totp_wrong_first'), fault('name', 'too_long', { max: 60 })] },
  },
  { id: 'account-recovery', template: 'account/recovery', data: saved },
  { id: 'account-recovery-first', template: 'account/recovery', data: { ...saved, count: null } },
  { id: 'account-recovery-none', template: 'account/recovery', data: { ...saved, count: null, hasFactor: false } },
  { id: 'account-recovery-shown', template: 'account/recovery', data: { ...saved, codes } },
];
