/** Calls about the account as a whole: its address, all of its data, its end. */
import { AccountAnswer, DeletionAnswer, ExportAnswer } from './answers.ts';
import { EXAMPLES } from './examples.ts';
import { EmailChangeRequest, EmailCode } from './fields.ts';
import type { Operation } from './operation.ts';

export const PERSONAL: Operation[] = [
  {
    id: 'changeEmail',
    method: 'post',
    path: '/api/v1/account/email',
    tag: 'Account',
    summary: 'Ask for another e-mail address',
    description:
      'Sends a code to the new address, which `POST /api/v1/account/email/code` takes from the same application or browser session. The answer is the same for an address that somebody else has. Where only capitals change it is done at once.',
    scope: 'account:write',
    fresh: true,
    body: { schema: EmailChangeRequest, example: { email: 'ada@lovelace.example' } },
    answer: { description: 'A code is on its way, if the address can be used.' },
    errors: ['conflict'],
  },
  {
    id: 'confirmEmail',
    method: 'post',
    path: '/api/v1/account/email/code',
    tag: 'Account',
    summary: 'Change the e-mail address',
    description:
      'Takes the code, changes the address and ends every session but the current one. A mail tells the old address and has a link that undoes it for seven days.',
    scope: 'account:write',
    fresh: true,
    body: { schema: EmailCode, example: { code: '481516' } },
    answer: { description: 'The account after the change.', schema: AccountAnswer, example: EXAMPLES.account },
    errors: ['invalid_code', 'code_expired', 'conflict'],
  },
  {
    id: 'exportAccount',
    method: 'get',
    path: '/api/v1/account/export',
    tag: 'Account',
    summary: 'Take all data along',
    description:
      'All that is stored about the person: account, sessions, applications, consents, events, and what was mailed. Neither secrets nor hashes. Members may be added.',
    scope: 'account:read',
    fresh: true,
    answer: { description: 'Everything.', schema: ExportAnswer, example: EXAMPLES.everything },
    errors: [],
  },
  {
    id: 'deleteAccount',
    method: 'delete',
    path: '/api/v1/account',
    tag: 'Account',
    summary: 'Delete the account',
    description:
      'Ends every session and application at once. Until `delete_after` the person can keep the account by signing in again; then everything is removed for good. A mail says so.',
    scope: 'account:write',
    fresh: true,
    answer: { description: 'The account is closed.', schema: DeletionAnswer, example: EXAMPLES.deletion },
    errors: ['conflict'],
  },
];
