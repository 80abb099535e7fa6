/** The settings of second factors, passkeys and what sign-ins remember. */
import { lifetime, setting } from './setting.ts';
import { choice } from './values.ts';

export const FACTOR_VARIABLES = {
  LATCHKEY_SECOND_FACTOR: setting(choice(['nobody', 'everybody'] as const), 'nobody', {
    description: 'Who must have a second factor; people without one set it up while they sign in.',
    expected: 'nobody or everybody',
    example: 'everybody',
  }),
  LATCHKEY_STRONG_SESSION_TTL: lifetime(
    '24h',
    '1m',
    '30d',
    'For this long two factors stay proved; then an application that asks for them gets a new sign-in.',
  ),
};
