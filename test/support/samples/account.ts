/** The account area, as its routes give the data. */
import { account, ago, csrf, fault, longAccount, type Sample } from './people.ts';

const area = {
  account,
  csrf,
  notice: null,
  errors: [],
  signOutAction: '/account/sign-out',
  passwordChangedAt: ago(60 * 24 * 40),
};
const overview = {
  ...area,
  nav: 'overview',
  values: {
    name: 'Ada Lovelace',
    given_name: 'Ada',
    family_name: 'Lovelace',
    preferred_username: '',
    locale: 'en',
    zoneinfo: 'Europe/London',
  },
  action: '/account',
  emailUrl: '/account/email',
  dataUrl: '/account/data',
  sessionsCount: 3,
  appsCount: 1,
};
const session = {
  kind: 'browser',
  current: false,
  createdAt: ago(60 * 24 * 3),
  lastSeenAt: ago(90),
  expiresAt: ago(-60 * 24 * 11),
  ip: '192.0.2.41',
  device: { name: 'Firefox on Linux', browser: 'Firefox', os: 'Linux' },
  apps: [],
};
const sessions = {
  ...area,
  nav: 'sessions',
  sessions: [
    {
      ...session,
      id: 's1',
      current: true,
      lastSeenAt: ago(0),
      endAction: '/account/sessions/s1/end',
      apps: [
        { clientId: 'notes', name: 'Acme Notes' },
        { clientId: 'time', name: 'Timesheets' },
      ],
    },
    {
      ...session,
      id: 's2',
      ip: '2001:db8:85a3:8d3:1319:8a2e:370:7348',
      device: { name: 'Safari on iPhone', browser: 'Safari', os: 'iOS' },
      endAction: '/account/sessions/s2/end',
    },
    {
      ...session,
      id: 's3',
      kind: 'app',
      lastSeenAt: ago(60 * 24 * 2),
      device: { name: 'Electron on Windows', browser: 'Electron', os: 'Windows' },
      apps: [{ clientId: 'desk', name: 'Acme Desktop' }],
      endAction: '/account/sessions/s3/end',
    },
  ],
  endOthersAction: '/account/sessions/end-others',
};
const apps = {
  ...area,
  nav: 'apps',
  apps: [
    {
      clientId: 'notes',
      name: 'Acme Notes',
      uri: 'https://acme.example',
      scopes: ['See your profile', 'See your email address'],
      grantedAt: ago(60 * 24 * 90),
      lastUsedAt: ago(60 * 26),
      removeAction: '/account/apps/notes/remove',
    },
    {
      clientId: 'time',
      name: 'Timesheets',
      uri: null,
      scopes: ['Read your account'],
      grantedAt: ago(60 * 24 * 9),
      lastUsedAt: null,
      removeAction: '/account/apps/time/remove',
    },
  ],
};
const password = { ...area, nav: 'security', action: '/account/security/password', minLength: 12 };
const email = { ...area, nav: 'overview', action: '/account/email', value: '' };
const emailCode = {
  ...area,
  nav: 'overview',
  action: '/account/email/code',
  resendAction: '/account/email/resend',
  restartUrl: '/account/email',
  email: 'ada@lovelace.example',
  minutes: 10,
};
const data = {
  ...area,
  nav: 'overview',
  exportAction: '/account/data/export',
  deleteUrl: '/account/delete',
};
const deleting = {
  ...area,
  nav: 'overview',
  action: '/account/delete',
  backUrl: '/account/data',
  days: 14,
  goneAt: ago(-60 * 24 * 14),
};
const event = {
  at: ago(90),
  failed: false,
  title: 'Signed in',
  reason: null,
  ip: '192.0.2.41',
  device: 'Firefox on Linux',
  operator: false,
  app: null,
};
const events = {
  ...area,
  nav: 'security',
  events: [
    { ...event, title: 'Signed in to an application', app: 'Acme Notes' },
    {
      ...event,
      failed: true,
      title: 'Sign-in failed',
      reason: 'Wrong password',
      ip: '2001:db8:85a3:8d3:1319:8a2e:370:7348',
    },
    { ...event, title: 'Account disabled', ip: null, device: null, operator: true, at: ago(60 * 24 * 9) },
  ],
  olderUrl: '/account/events?before=x',
};
const security = {
  ...area,
  nav: 'security',
  password: { set: true, changedAt: ago(60 * 24 * 40) },
  passkeys: [],
  passkeysPossible: true,
  totps: [],
  recovery: 0,
  mailed: false,
  browsers: 0,
  advice: 'second-step',
  events: events.events,
};
const device = {
  current: false,
  device: { name: 'Firefox on Linux', browser: 'Firefox', os: 'Linux' },
  ip: '192.0.2.41',
  createdAt: ago(60 * 24 * 3),
  lastUsedAt: ago(90),
  expiresAt: ago(-60 * 24 * 27),
  forgetAction: '/account/security/devices/d1/forget',
};
const devices = {
  ...area,
  nav: 'security',
  days: 30,
  devices: [
    { ...device, current: true },
    {
      ...device,
      device: { name: 'Safari on iOS', browser: 'Safari', os: 'iOS' },
      ip: '2001:db8:85a3:8d3:1319:8a2e:370:7348',
      forgetAction: '/account/security/devices/d2/forget',
    },
  ],
};

const passkey = {
  id: 'p1',
  name: 'Work laptop',
  createdAt: ago(60 * 24 * 40),
  lastUsedAt: ago(90),
  authenticator: 'Windows Hello',
  synced: false,
  renameAction: '/account/security/passkey/p1/rename',
  removeAction: '/account/security/passkey/p1/remove',
};
const passkeys = {
  ...area,
  nav: 'security',
  newUrl: '/account/security/passkey/new',
  securityUrl: '/account/security',
  passkeys: [
    passkey,
    {
      ...passkey,
      id: 'p2',
      name: 'Google Password Manager',
      lastUsedAt: null,
      authenticator: null,
      synced: true,
      renameAction: '/account/security/passkey/p2/rename',
      removeAction: '/account/security/passkey/p2/remove',
    },
  ],
};
const passkeyNew = {
  ...area,
  nav: 'security',
  passkey: { action: '/account/security/passkey/new', optionsUrl: '/account/security/passkey/new/options' },
  backUrl: '/account/security/passkey',
};

export const ACCOUNT: Sample[] = [
  { id: 'passkeys', template: 'account/passkeys', data: passkeys },
  { id: 'passkeys-none', template: 'account/passkeys', data: { ...passkeys, passkeys: [], notice: 'passkey-removed' } },
  { id: 'passkeys-impossible', template: 'account/passkeys', data: { ...passkeys, passkeys: [], newUrl: null } },
  { id: 'security-no-passkeys', template: 'account/security', data: { ...security, passkeysPossible: false } },
  { id: 'passkey-new', template: 'account/passkey-new', data: passkeyNew },
  {
    id: 'passkey-new-faulty',
    template: 'account/passkey-new',
    data: { ...passkeyNew, errors: [fault('', 'passkey_not_added'), fault('name', 'too_long', { max: 60 })] },
  },
  { id: 'account', template: 'account/overview', data: overview },
  {
    id: 'account-faulty',
    template: 'account/overview',
    data: {
      ...overview,
      account: { ...longAccount, emailVerified: false },
      values: { ...overview.values, name: '', locale: 'de', zoneinfo: 'Mars/Olympus' },
      errors: [fault('name', 'name_missing'), fault('zoneinfo', 'invalid')],
    },
  },
  { id: 'sessions', template: 'account/sessions', data: sessions },
  {
    id: 'sessions-one',
    template: 'account/sessions',
    data: { ...sessions, sessions: sessions.sessions.slice(0, 1), endOthersAction: null, notice: 'others-ended' },
  },
  { id: 'apps', template: 'account/apps', data: apps },
  { id: 'apps-none', template: 'account/apps', data: { ...apps, apps: [], notice: 'app-removed' } },
  { id: 'events', template: 'account/events', data: events },
  { id: 'events-none', template: 'account/events', data: { ...events, events: [], olderUrl: null } },
  { id: 'security', template: 'account/security', data: security },
  { id: 'email', template: 'account/email', data: email },
  {
    id: 'email-faulty',
    template: 'account/email',
    data: { ...email, account: longAccount, value: 'ada@', errors: [fault('email', 'email_invalid')] },
  },
  { id: 'email-code', template: 'account/email-code', data: { ...emailCode, notice: 'resent' } },
  {
    id: 'email-code-faulty',
    template: 'account/email-code',
    data: { ...emailCode, email: longAccount.email, errors: [fault('code', 'code_wrong', { left: 4 })] },
  },
  { id: 'data', template: 'account/data', data },
  { id: 'delete', template: 'account/delete', data: deleting },
  { id: 'delete-at-once', template: 'account/delete', data: { ...deleting, days: 0, goneAt: null } },
  {
    id: 'security-full',
    template: 'account/security',
    data: {
      ...security,
      account: longAccount,
      passkeys: ['This laptop', 'Security key on my key ring, the blue one', null],
      totps: ['Work phone'],
      recovery: 2,
      mailed: true,
      browsers: 2,
      advice: 'recovery-few',
      notice: 'password-changed',
    },
  },
  {
    id: 'security-mail-only',
    template: 'account/security',
    data: {
      ...security,
      password: null,
      passkeys: [null],
      mailed: true,
      browsers: null,
      advice: 'recovery',
      events: [],
    },
  },
  { id: 'devices', template: 'account/devices', data: devices },
  { id: 'devices-none', template: 'account/devices', data: { ...devices, devices: [], notice: 'device-forgotten' } },
  { id: 'password', template: 'account/password', data: password },
  { id: 'password-none', template: 'account/password', data: { ...password, action: null, passwordChangedAt: null } },
  {
    id: 'password-faulty',
    template: 'account/password',
    data: {
      ...password,
      errors: [fault('current_password', 'password_wrong'), fault('new_password', 'password_contains_identity')],
    },
  },
];
