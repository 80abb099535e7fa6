/** The account API's calls in one table: what each takes, answers and refuses. Feeds the description, mounts nothing. */
import { z } from 'zod';
import { AccountAnswer, AppList, EventList, SessionList } from './answers.ts';
import { DEVICES } from './device-operations.ts';
import { EXAMPLES } from './examples.ts';
import { FACTOR_OPERATIONS } from './factor-operations.ts';
import { ExceptQuery, PageQuery, PasswordChange, ProfileChange } from './fields.ts';
import { errorsOf, type Operation } from './operation.ts';
import { PASSKEYS } from './passkey-operations.ts';
import { PERSONAL } from './personal-operations.ts';

export { errorsOf, type Operation };

export const OPERATIONS: Operation[] = [
  {
    id: 'getAccount',
    method: 'get',
    path: '/api/v1/account',
    tag: 'Account',
    summary: 'Read the account',
    description: 'The profile of the person whom the token or the session is about.',
    scope: 'account:read',
    answer: { description: 'The account.', schema: AccountAnswer, example: EXAMPLES.account },
    errors: [],
  },
  {
    id: 'updateAccount',
    method: 'patch',
    path: '/api/v1/account',
    tag: 'Account',
    summary: 'Change the profile',
    description: 'Members that are left out stay as they are; null clears one. The address is not changed here.',
    scope: 'account:write',
    body: { schema: ProfileChange, example: { name: 'Ada King', locale: 'fr', picture: null } },
    answer: { description: 'The account after the change.', schema: AccountAnswer, example: EXAMPLES.account },
    errors: [],
  },
  {
    id: 'changePassword',
    method: 'post',
    path: '/api/v1/account/password',
    tag: 'Account',
    summary: 'Change the password',
    description:
      'Ends every session but the current one, as “end all other sessions” does. A mail tells the person. A wrong current password is `invalid_request` with `password_wrong`.',
    scope: 'account:write',
    body: {
      schema: PasswordChange,
      example: { current_password: 'the one until now', new_password: 'four quiet herons waiting' },
    },
    answer: { description: 'The password is changed.' },
    fresh: true,
    errors: ['weak_password'],
  },
  {
    id: 'listEvents',
    method: 'get',
    path: '/api/v1/account/events',
    tag: 'Account',
    summary: 'What happened',
    description:
      'Security events of this account, newest first: sign-ins and failed ones, changes, sessions and how they ended.',
    scope: 'account:read',
    query: PageQuery,
    answer: { description: 'A page of events.', schema: EventList, example: EXAMPLES.events },
    errors: [],
  },
  ...PERSONAL,
  {
    id: 'listSessions',
    method: 'get',
    path: '/api/v1/account/sessions',
    tag: 'Sessions',
    summary: 'Where the person is signed in',
    description: 'Browser sessions and applications with refresh tokens, the current one first, then by last use.',
    scope: 'account:read',
    query: PageQuery,
    answer: { description: 'A page of sessions.', schema: SessionList, example: EXAMPLES.sessions },
    errors: [],
  },
  {
    id: 'endOtherSessions',
    method: 'delete',
    path: '/api/v1/account/sessions',
    tag: 'Sessions',
    summary: 'End all other sessions',
    description:
      'Keeps the entry that the list marks as current: the browser session with the applications signed in from it or, for a bearer token of an application with refresh tokens, that application alone.',
    scope: 'account:write',
    query: ExceptQuery,
    answer: { description: 'Every other session has ended, and its tokens with it.' },
    errors: [],
  },
  {
    id: 'endSession',
    method: 'delete',
    path: '/api/v1/account/sessions/{id}',
    tag: 'Sessions',
    summary: 'End a session',
    description: 'A browser session ends with every application that was signed in from it. Tokens end at once.',
    scope: 'account:write',
    params: z.object({ id: z.string().meta({ description: 'The `id` of an entry of the list.' }) }),
    answer: { description: 'The session has ended.' },
    errors: ['not_found'],
  },
  {
    id: 'listApps',
    method: 'get',
    path: '/api/v1/account/apps',
    tag: 'Apps',
    summary: 'Connected applications',
    description: 'Applications that hold something of this account or were allowed to ask for it, by name.',
    scope: 'account:read',
    query: PageQuery,
    answer: { description: 'A page of applications.', schema: AppList, example: EXAMPLES.apps },
    errors: [],
  },
  {
    id: 'removeApp',
    method: 'delete',
    path: '/api/v1/account/apps/{client_id}',
    tag: 'Apps',
    summary: 'Disconnect an application',
    description: 'Takes back what the application was allowed and ends what it holds. It can ask again.',
    scope: 'account:write',
    params: z.object({ client_id: z.string().meta({ description: 'The `client_id` of an entry of the list.' }) }),
    answer: { description: 'The application is disconnected and its tokens have ended.' },
    errors: ['not_found'],
  },
  ...PASSKEYS,
  ...DEVICES,
  ...FACTOR_OPERATIONS,
];
