/** Sign-in and its neighbours, as their routes give the data. */
import { account, ago, client, csrf, fault, longAccount, longClient, type Sample } from './people.ts';

const flow = { csrf, client, errors: [], notice: null };
const signIn = {
  ...flow,
  action: '/login/f1',
  email: '',
  passkey: { action: '/login/f1/passkey/sign-in', optionsUrl: '/login/f1/passkey/sign-in/options' },
  registerUrl: '/register/f1',
  forgotUrl: '/forgot/f1',
  cancelAction: '/login/f1/cancel',
  passwords: true,
  mailAction: null,
};
const register = {
  ...flow,
  action: '/register/f1',
  values: { email: '', name: '' },
  minLength: 12,
  maxLength: 256,
  loginUrl: '/login/f1',
  passwords: true,
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
const protect = {
  ...flow,
  account,
  kinds: [
    { kind: 'passkey', url: '/login/f1/protect/passkey' },
    { kind: 'totp', url: '/login/f1/protect/totp' },
  ],
  cancelAction: '/login/f1/cancel',
};
const passkeyStep = {
  ...flow,
  account,
  passkey: { action: '/login/f1/passkey', optionsUrl: '/login/f1/passkey/options' },
  others: [
    { kind: 'totp', url: '/login/f1/totp' },
    { kind: 'recovery', url: '/login/f1/recovery' },
  ],
  remember: { days: 30 },
  othersUrl: '/login/f1/protect',
  answerAction: '/login/f1/offer',
  cancelAction: '/login/f1/cancel',
};
export const LOGIN: Sample[] = [
  { id: 'passkey', template: 'login/passkey', data: passkeyStep },
  {
    id: 'passkey-refused',
    template: 'login/passkey',
    data: { ...passkeyStep, account: longAccount, others: [], errors: [fault('', 'passkey_refused')] },
  },
  {
    id: 'passkey-lost',
    template: 'login/passkey',
    data: { ...passkeyStep, lost: { url: '/login/f1/lost', state: 'offered', until: null } },
  },
  { id: 'passkey-add', template: 'login/passkey-add', data: passkeyStep },
  { id: 'passkey-offer', template: 'login/passkey-offer', data: passkeyStep },
  { id: 'protect', template: 'login/protect', data: protect },
  { id: 'sign-in', template: 'login/sign-in', data: signIn },
  {
    id: 'sign-in-plain',
    template: 'login/sign-in',
    data: { ...signIn, passkey: null, client: null, cancelAction: null, notice: 'password-changed' },
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
  { id: 'sign-in-mail', template: 'login/sign-in', data: { ...signIn, mailAction: '/login/f1/email' } },
  {
    id: 'sign-in-mail-only',
    template: 'login/sign-in',
    data: { ...signIn, action: '/login/f1/email', passwords: false },
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
    data: {
      action: '/invitation/i1',
      csrf,
      email: account.email,
      errors: [],
      minLength: 12,
      name: account.name,
      passwords: true,
    },
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
  {
    id: 'closed',
    template: 'login/closed',
    data: { ...flow, action: '/login/f1/closed', leaveAction: '/login/f1/cancel', goneAt: ago(-60 * 24 * 9) },
  },
  {
    id: 'account-closed',
    template: 'login/account-closed',
    data: { goneAt: ago(-60 * 24 * 14), loginUrl: '/account' },
  },
  { id: 'account-closed-at-once', template: 'login/account-closed', data: { goneAt: null, loginUrl: '/account' } },
  {
    id: 'restore-email',
    template: 'login/restore-email',
    data: { action: '/email/restore/r1', csrf, email: account.email, errors: [] },
  },
  {
    id: 'restore-password',
    template: 'login/restore-password',
    data: { action: '/email/password/r1', csrf, email: account.email, errors: [], minLength: 12 },
  },
];
