/** Errors, devices, development and the API's description, as their routes give the data. */
import { account, ago, client, csrf, fault, longAccount, type Sample } from './people.ts';

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
export const OTHERS: Sample[] = [
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
