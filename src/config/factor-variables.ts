/** The settings of second factors, passkeys and what sign-ins remember. */
import { lifetime, optional, setting } from './setting.ts';
import { choice, domain, list, orNever, text, webOrigin } from './values.ts';

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
  LATCHKEY_STRONG_SESSION_IDLE_TTL: lifetime(
    '1h',
    '1m',
    '30d',
    'The same where the browser session was not used for this long.',
  ),
  LATCHKEY_EMAIL_SIGN_IN: setting(choice(['off', 'allowed', 'instead'] as const), 'off', {
    description: 'Whether people sign in by a mailed code or link: not at all, beside a password, or instead of one.',
    expected: 'off, allowed or instead',
    example: 'allowed',
  }),
  LATCHKEY_REMEMBERED_DEVICE_TTL: setting(orNever('1d', '365d'), '30d', {
    description: 'How long a browser may skip the second step after its owner asked for that; 0 switches it off.',
    expected: 'a time span from 1d to 365d, or 0',
    example: '7d',
  }),
  LATCHKEY_FACTOR_RECOVERY_WAIT: setting(orNever('24h', '90d'), '0', {
    description:
      'How long a person who lost every second factor waits until they can remove them by themselves (docs/factors.md; 72h is a good time); 0: only an operator can.',
    expected: 'a time span from 24h to 90d, or 0',
    example: '72h',
  }),
  LATCHKEY_GEOIP_FILE: optional(text, {
    description: 'A database of cities or countries, so that mails about sign-ins name a place; none without it.',
    expected: 'the path of a file in the MaxMind DB format',
    example: '/var/lib/latchkey/city.mmdb',
  }),
  LATCHKEY_PASSKEY_RP_ID: optional(domain, {
    description:
      'The domain that passkeys are made for: the host of the issuer or a domain above it. Changing it later makes every passkey useless.',
    expected: 'a host name',
    example: 'localhost',
    otherwise: 'the host of LATCHKEY_ISSUER',
  }),
  LATCHKEY_PASSKEY_ORIGINS: setting(list(webOrigin), '', {
    description:
      'Further origins whose pages may use these passkeys through the account API; served at `/.well-known/webauthn`.',
    expected: 'origins separated by commas',
    example: 'https://app.example.com,https://example.fr',
  }),
};
