/** The settings of accounts and passwords. */
import { anyOf, count, lifetime, optional, type Setting, setting } from './setting.ts';
import { address, choice, domain, flag, list, whole } from './values.ts';

const choices = {
  registration: ['open', 'invite', 'closed'],
  passwords: ['default', 'nist'],
} as const;

export const PEOPLE = {
  LATCHKEY_REGISTRATION: setting(choice(choices.registration), 'open', {
    description: 'Who may register: everybody, people who were invited, or nobody.',
    expected: anyOf(choices.registration),
    example: 'invite',
  }),
  LATCHKEY_REGISTRATION_DOMAINS: setting(list(domain), '', {
    description: 'Mail domains that may register; all when empty.',
    expected: 'domains separated by commas',
    example: 'example.com, example.org',
  }),
  LATCHKEY_PASSWORD_POLICY: setting(choice(choices.passwords), 'default', {
    description: 'Length of passwords: default asks for 12 characters, nist (SP 800-63B-4) for 15.',
    expected: anyOf(choices.passwords),
    example: 'nist',
  }),
  LATCHKEY_PASSWORD_MIN_LENGTH: optional(whole(12, 64), {
    description: 'A longer minimum than that of the policy.',
    expected: 'a number from 12 (15 under nist) to 64',
    example: '16',
    otherwise: '12, or 15 under nist',
  }),
  LATCHKEY_PASSWORD_BREACH_CHECK: setting(flag, 'false', {
    description: 'Whether new passwords are looked up among known breaches (docs/passwords.md says what is sent).',
    expected: 'true or false',
    example: 'true',
  }),
  LATCHKEY_PASSWORD_BREACH_URL: setting(address(['https', 'http']), 'https://api.pwnedpasswords.com/range/', {
    description: 'Where they are looked up: a service with the ranges of Have I Been Pwned.',
    expected: 'an https address, to whose path five digits are added',
    example: 'https://pwned.example.com/range/',
  }),
  LATCHKEY_DELETION_GRACE: lifetime(
    '14d',
    '0s',
    '90d',
    'How long a person who deleted their account can still come back; 0s deletes at once.',
  ),
  LATCHKEY_ARGON2_MEMORY_KIB: count('19456', 1024, 4_194_304, 'Memory of one Argon2id hash, in KiB.'),
  LATCHKEY_ARGON2_PASSES: count('2', 1, 100, 'Passes of one Argon2id hash.'),
  LATCHKEY_ARGON2_PARALLELISM: count('1', 1, 16, 'Lanes of one Argon2id hash.'),
  LATCHKEY_ARGON2_CONCURRENCY: optional(whole(1, 256), {
    description: 'Hashes that run at the same time.',
    expected: 'a number from 1 to 256',
    example: '2',
    otherwise: 'one for each core',
  }),
  LATCHKEY_ARGON2_QUEUE: count('64', 0, 10_000, 'Hashes that wait; more are answered with 503 and Retry-After.'),
} satisfies Record<string, Setting<unknown>>;
