/** The settings of limits: how often what may be done. What they mean together is in docs/limits.md. */
import { count, optional } from './setting.ts';
import { whole } from './values.ts';

export const LIMITS = {
  LATCHKEY_LIMIT_ACTIONS_PER_MINUTE: count(
    '60',
    1,
    1_000_000,
    'Sign-ins, registrations, resets and codes from one address in a minute.',
  ),
  LATCHKEY_LIMIT_PAGES_PER_MINUTE: count(
    '600',
    1,
    1_000_000,
    'Other pages and API calls from one address in a minute.',
  ),
  LATCHKEY_LIMIT_REGISTRATIONS_PER_HOUR: count('60', 1, 1_000_000, 'Registrations from one address in an hour.'),
  LATCHKEY_LIMIT_REGISTRATIONS_UNFAMILIAR: optional(whole(1, 1_000_000), {
    description: 'The same from an address from which nobody signed in during the last months.',
    expected: 'a number from 1 to 1000000',
    example: '5',
    otherwise: '5; in development as many as from any other address',
  }),
  LATCHKEY_LIMIT_PUSHED_PER_MINUTE: count(
    '3000',
    1,
    1_000_000,
    'Pushed authorization requests (PAR) from one address in a minute.',
  ),
  LATCHKEY_LIMIT_INTROSPECTIONS_PER_MINUTE: count(
    '60000',
    1,
    10_000_000,
    'Questions of one client about tokens (introspection) in a minute.',
  ),
  LATCHKEY_LIMIT_CLIENT_SECRETS_PER_MINUTE: count(
    '20',
    1,
    1_000_000,
    'Wrong secrets of one client from one address in a minute.',
  ),
  LATCHKEY_LIMIT_UNKNOWN_CLIENTS_PER_MINUTE: count(
    '60',
    1,
    1_000_000,
    'Requests in the name of clients that do not exist, from one address in a minute.',
  ),
  LATCHKEY_LIMIT_FAILURES_PER_MINUTE: count(
    '30',
    1,
    1_000_000,
    'Failed sign-ins from one address in a minute, at whatever account.',
  ),
  LATCHKEY_LIMIT_FAILURES_PER_PAIR: count(
    '10',
    1,
    100,
    'Failed proofs at one account from one address in 15 minutes; then each has to wait longer.',
  ),
  LATCHKEY_LIMIT_FAILURES_PER_ACCOUNT: count(
    '100',
    10,
    100,
    'Failed proofs in a row at one account from unknown devices; then only known ones may try.',
  ),
  LATCHKEY_LIMIT_FAILURES_PER_DEVICE: count(
    '20',
    1,
    100,
    'Failed proofs in a row of a device that signed in before; then it counts as unknown.',
  ),
  LATCHKEY_LIMIT_SESSIONS_PER_PERSON: count(
    '50',
    1,
    10_000,
    'Browser sessions of a person at once; with one more the longest unused ends.',
  ),
  LATCHKEY_LIMIT_MAILS_PER_ADDRESS: count(
    '10',
    4,
    1000,
    'Mails with codes to one address in an hour; three of them are kept for devices that signed in before.',
  ),
  LATCHKEY_LIMIT_MAILS_PER_PURPOSE: count(
    '1000',
    10,
    1_000_000,
    'Mails of one purpose (registration, reset) to all strangers together in an hour.',
  ),
};
