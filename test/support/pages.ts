/** Every hosted page and mail with data as the routes give it: for tests of the views and for looking at them. */
import type { FieldError } from '../../src/errors.ts';

export interface Sample {
  /** The file's name in a preview. */
  id: string;
  template: string;
  data: Record<string, unknown>;
}

const csrf = 'c2FtcGxl.dG9rZW4';
const MINUTE = 60_000;
const ago = (minutes: number): string => new Date(Date.now() - minutes * MINUTE).toISOString();

const client = {
  name: 'Acme Notes',
  logoUri: 'https://cdn.acme.example/logo.png',
  uri: 'https://acme.example',
  policyUri: 'https://acme.example/privacy',
  tosUri: 'https://acme.example/terms',
  redirectHost: 'acme.example',
};
const longClient = {
  ...client,
  name: 'The Quite Extraordinarily Long-Named Timesheet and Expenses Application of Llanfairpwll',
};
const account = {
  id: 'a1',
  email: 'ada.lovelace@example.org',
  emailVerified: true,
  name: 'Ada Lovelace',
  picture: null,
  createdAt: '2025-02-03T09:30:00.000Z',
};
const longAccount = {
  ...account,
  email: 'wolfeschlegelsteinhausenbergerdorff.the-elder.of-bethlehem@department-of-long-names.example.org',
  name: 'Hubert Blaine Wolfeschlegelsteinhausenbergerdorff Senior',
};
const fault = (field: string, code: string, values?: Record<string, string | number>): FieldError => ({
  field,
  code,
  ...(values ? { values } : {}),
});

const flow = { csrf, client, errors: [], notice: null };
const signIn = {
  ...flow,
  action: '/login/f1',
  email: '',
  registerUrl: '/register/f1',
  forgotUrl: '/forgot/f1',
  cancelAction: '/login/f1/cancel',
};
const register = {
  ...flow,
  action: '/register/f1',
  values: { email: '', name: '' },
  minLength: 12,
  maxLength: 256,
  loginUrl: '/login/f1',
};
const verify = {
  ...flow,
  action: '/verify/f1',
  resendAction: '/verify/f1/resend',
  email: account.email,
  minutes: 10,
  restartUrl: '/register/f1',
};
const reset = {
  ...flow,
  action: '/reset/f1',
  resendAction: '/reset/f1/resend',
  email: account.email,
  minutes: 10,
  minLength: 12,
  loginUrl: '/login/f1',
};
const consent = {
  ...flow,
  action: '/consent/f1',
  account,
  items: [
    { title: 'See your profile', description: 'Your name, username, picture, language and time zone.' },
    { title: 'See your email address', description: 'And whether it has been confirmed.' },
  ],
  resources: [
    { name: 'Invoices', items: [{ title: 'Read your invoices', description: 'All of them, with their attachments.' }] },
  ],
  offline: true,
  untrusted: false,
  redirectTo: 'acme.example',
};
const problem = {
  status: 404,
  code: 'not_found',
  title: null,
  message: null,
  requestId: '0192f3a4-7c1e-7b52-9a60-3f1d2c4b5a69',
  developer: null,
  backUrl: null,
  retryAfter: null,
};
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
const security = { ...area, nav: 'security', action: '/account/security', minLength: 12 };
const confirmDevice = {
  action: '/device',
  csrf,
  csrfFields: [
    { name: 'xsrf', value: 'x1' },
    { name: 'user_code', value: 'WDJB-MJHT' },
  ],
  client: { ...client, name: 'Acme TV' },
  userCode: 'WDJB-MJHT',
  deviceInfo: { browser: null, os: 'Linux', ip: '192.0.2.41' },
};
const mail = {
  id: 'm1',
  to: account.email,
  subject: '481516 is your Latchkey code',
  text: 'Hello Ada Lovelace, here is your code for Latchkey:\n\n    481516\n\nIt works for 10 minutes, once.',
  at: ago(2),
};
const operation = {
  method: 'get',
  path: '/api/v1/account/sessions',
  summary: 'List sessions',
  description: 'Where the account is signed in, in browsers and in apps, newest first.',
  tag: 'Sessions',
  scopes: ['account:read'],
  parameters: [{ name: 'cursor', type: 'string', in: 'query', required: false, description: 'From the page before.' }],
  requestBody: null,
  responses: [
    { status: '200', description: 'A page of sessions.', codes: [], example: '{\n  "items": [],\n  "next": null\n}' },
    { status: '401', description: 'No token, or one that has ended.', codes: ['invalid_token'], example: null },
  ],
};
const operations = [
  operation,
  {
    ...operation,
    method: 'patch',
    path: '/api/v1/account',
    summary: 'Change the profile',
    tag: 'Profile',
    scopes: ['account:write'],
    parameters: [],
    requestBody: {
      contentType: 'application/json',
      fields: [{ name: 'name', type: 'string', in: null, required: false, description: 'What to call the person.' }],
      example: '{\n  "name": "Ada King"\n}',
    },
  },
];

/** Each page as the routes show it first, then with faults, with nothing, and with names that are too long. */
export const PAGES: Sample[] = [
  { id: 'sign-in', template: 'login/sign-in', data: signIn },
  {
    id: 'sign-in-plain',
    template: 'login/sign-in',
    data: { ...signIn, client: null, cancelAction: null, notice: 'password-changed' },
  },
  {
    id: 'sign-in-faulty',
    template: 'login/sign-in',
    data: { ...signIn, email: account.email, errors: [fault('', 'credentials')] },
  },
  {
    id: 'sign-in-long',
    template: 'login/sign-in',
    data: {
      ...signIn,
      client: longClient,
      email: longAccount.email,
      errors: [fault('email', 'email_invalid'), fault('password', 'required')],
    },
  },
  { id: 'register', template: 'login/register', data: register },
  {
    id: 'register-faulty',
    template: 'login/register',
    data: {
      ...register,
      client: null,
      values: { email: 'ada@', name: '' },
      errors: [fault('name', 'name_missing'), fault('email', 'email_invalid'), fault('password', 'password_common')],
    },
  },
  { id: 'verify', template: 'login/verify', data: { ...verify, notice: 'sent' } },
  {
    id: 'verify-faulty',
    template: 'login/verify',
    data: { ...verify, email: longAccount.email, errors: [fault('code', 'code_wrong', { left: 3 })], notice: 'resent' },
  },
  { id: 'forgot', template: 'login/forgot', data: { ...flow, action: '/forgot/f1', email: '', loginUrl: '/login/f1' } },
  { id: 'reset', template: 'login/reset', data: reset },
  {
    id: 'reset-faulty',
    template: 'login/reset',
    data: { ...reset, errors: [fault('code', 'code_expired'), fault('password', 'password_too_short', { min: 12 })] },
  },
  {
    id: 'invitation',
    template: 'login/invitation',
    data: { action: '/invitation/i1', csrf, email: account.email, errors: [], minLength: 12, name: account.name },
  },
  { id: 'consent', template: 'login/consent', data: consent },
  {
    id: 'consent-untrusted',
    template: 'login/consent',
    data: {
      ...consent,
      client: longClient,
      account: longAccount,
      resources: [],
      untrusted: true,
      redirectTo: 'com.example.acme',
    },
  },
  {
    id: 'continue',
    template: 'login/continue',
    data: { ...flow, action: '/consent/f1', account, redirectTo: '127.0.0.1:41234' },
  },
  {
    id: 'continue-long',
    template: 'login/continue',
    data: { ...flow, client: longClient, action: '/consent/f1', account: longAccount, redirectTo: '127.0.0.1:41234' },
  },
  {
    id: 'confirm-account',
    template: 'login/confirm-account',
    data: { action: '/login/f1/account', csrf, account, requested: 'grace.hopper@example.org' },
  },
  { id: 'no-interaction', template: 'login/no-interaction', data: { loginUrl: '/account' } },
  {
    id: 'registration-invite',
    template: 'login/registration-closed',
    data: { client, loginUrl: '/login/f1', mode: 'invite' },
  },
  {
    id: 'registration-closed',
    template: 'login/registration-closed',
    data: { client: null, loginUrl: '/login', mode: 'closed' },
  },
  {
    id: 'sign-out',
    template: 'login/sign-out',
    data: { action: '/oauth2/logout/confirm', csrfFields: [{ name: 'xsrf', value: 'x1' }], client, account },
  },
  { id: 'signed-out', template: 'login/signed-out', data: { client, loginUrl: '/account' } },
  {
    id: 'back-to-app',
    template: 'login/back-to-app',
    data: { client: { ...client, name: 'Acme Desktop' }, href: 'com.example.acme:/callback?code=x&state=y' },
  },
  { id: 'error-404', template: 'error', data: { ...problem, backUrl: '/account' } },
  {
    id: 'error-client',
    template: 'error',
    data: {
      ...problem,
      status: 400,
      code: 'invalid_redirect_uri',
      developer: [
        {
          label: 'error_description',
          value: "redirect_uri did not match any of the client's registered redirect_uris",
        },
        { label: 'client_id', value: 'dev-nextjs' },
        {
          label: 'redirect_uri',
          value: 'http://localhost:3001/api/auth/callback/latchkey-with-a-mistake-in-a-very-long-address',
        },
      ],
    },
  },
  { id: 'error-429', template: 'error', data: { ...problem, status: 429, code: 'too_many_attempts', retryAfter: 340 } },
  { id: 'error-500', template: 'error', data: { ...problem, status: 500, code: 'internal_error' } },
  {
    id: 'error-unknown',
    template: 'error',
    data: { ...problem, status: 400, code: 'x', message: 'The scope "x" is not known here.' },
  },
  { id: 'device-enter', template: 'device/enter', data: { action: '/device', csrf, userCode: null, errors: [] } },
  {
    id: 'device-enter-faulty',
    template: 'device/enter',
    data: { action: '/device', csrf, userCode: 'WDJB-MJHX', errors: [fault('user_code', 'device_code_unknown')] },
  },
  { id: 'device-confirm', template: 'device/confirm', data: confirmDevice },
  { id: 'device-done', template: 'device/done', data: { success: true, client: confirmDevice.client } },
  { id: 'device-refused', template: 'device/done', data: { success: false, client: null } },
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
  { id: 'security', template: 'account/security', data: security },
  {
    id: 'security-faulty',
    template: 'account/security',
    data: {
      ...security,
      errors: [fault('current_password', 'password_wrong'), fault('new_password', 'password_contains_identity')],
    },
  },
  {
    id: 'dev',
    template: 'dev/index',
    data: {
      issuer: 'http://localhost:3000',
      links: [
        { href: '/dev/mail', label: 'Mailbox' },
        { href: '/account', label: 'Account' },
      ],
    },
  },
  { id: 'mailbox', template: 'dev/mailbox', data: { mails: [mail, { ...mail, id: 'm2', to: longAccount.email }] } },
  { id: 'mailbox-empty', template: 'dev/mailbox', data: { mails: [] } },
  { id: 'mail', template: 'dev/mail', data: { mail, htmlUrl: '/dev/mail/m1/html' } },
  { id: 'docs', template: 'docs', data: { title: 'Latchkey account API', operations } },
];

export const MAILS: Sample[] = [
  { id: 'verify', template: 'verify', data: { code: '481516', minutes: 10, name: 'Ada Lovelace', link: null } },
  {
    id: 'verify-link',
    template: 'verify',
    data: { code: '481516', minutes: 10, name: null, link: 'http://localhost:3000/verify/f1?k=1' },
  },
  { id: 'exists', template: 'exists', data: {} },
  { id: 'reset', template: 'reset', data: { code: '481516', minutes: 10 } },
  {
    id: 'password-changed',
    template: 'password-changed',
    data: { when: '2026-11-23T20:15:00.000Z', ip: '192.0.2.41', device: 'Firefox on Linux' },
  },
  {
    id: 'invitation',
    template: 'invitation',
    data: { link: 'http://localhost:3000/invitation/a1.b2', inviter: 'Grace Hopper', days: 7 },
  },
  { id: 'test', template: 'test', data: {} },
];
