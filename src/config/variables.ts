/**
 * Every setting: its name, how it is read, its default, one sentence. The schema here is what a start checks, and what
 * `.env.example` and the table of settings are printed from. What settings mean together is in settings.ts.
 */
import { z } from 'zod';
import { FACTOR_VARIABLES } from './factor-variables.ts';
import { LIMITS } from './limit-variables.ts';
import { PEOPLE } from './people-variables.ts';
import { redis } from './redis-address.ts';
import { secretKeys, token } from './secrets.ts';
import { anyOf, count, lifetime, optional, type Setting, setting } from './setting.ts';
import {
  address,
  choice,
  flag,
  list,
  mailbox,
  network,
  networkOrHost,
  origin,
  port,
  rotation,
  smtp,
  text,
  whole,
} from './values.ts';

const choices = {
  log: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
} as const;

/** The settings by the heading under which people read them. */
export const GROUPS = {
  'The service': {
    LATCHKEY_ISSUER: optional(origin, {
      description:
        'The origin that people and clients see; it is the issuer in every token, so changing it later breaks clients.',
      expected: 'scheme, host and port without a path; https in production',
      example: 'https://login.example.com',
      otherwise: 'http://localhost:3000 (with the port of LATCHKEY_PORT)',
    }),
    LATCHKEY_HOST: optional(text, {
      description: 'Address to listen on.',
      expected: 'an IP address of this machine or a host name',
      example: '0.0.0.0',
      otherwise: '127.0.0.1 in development, else 0.0.0.0',
    }),
    LATCHKEY_PORT: setting(port, '3000', {
      description: 'TCP port to listen on.',
      expected: 'a port from 1 to 65535',
      example: '3000',
    }),
    LATCHKEY_DATA_DIR: setting(text, './data', {
      description: 'Folder of the embedded database and, in development, of generated secrets and caught mail.',
      expected: 'the path of a folder that this process may write',
      example: '/var/lib/latchkey',
    }),
    LATCHKEY_CONFIG: optional(text, {
      description: 'A YAML file with clients, resources and branding (docs/configuration.md).',
      expected: 'the path of a file',
      example: '/etc/latchkey/config.yaml',
    }),
    LATCHKEY_LOG_LEVEL: setting(choice(choices.log), 'info', {
      description: 'Least severe messages that are logged.',
      expected: anyOf(choices.log),
      example: 'info',
    }),
  },
  'Secrets and storage': {
    LATCHKEY_SECRET_KEY: optional(secretKeys, {
      description: 'Key that protects what the database holds encrypted; of a list the first encrypts and all decrypt.',
      expected: '32 random bytes in base64, or several separated by commas',
      example: '$(openssl rand -base64 32)',
      otherwise: 'generated in development, required in production',
      secret: true,
    }),
    LATCHKEY_KEY_ROTATION: setting(rotation, '90d', {
      description: 'How long a key signs tokens before the next one takes over; 0 leaves it to `latchkey keys rotate`.',
      expected: 'a time span from 1d to 365d, or 0',
      example: '30d',
    }),
    LATCHKEY_DATABASE_URL: optional(address(['postgres', 'postgresql']), {
      description: 'A PostgreSQL database to use instead of SQLite in the data folder.',
      expected: 'postgres://USER:PASSWORD@HOST:PORT/DATABASE, with ?sslmode=verify-full&sslrootcert=FILE for TLS',
      example: 'postgres://latchkey:PASSWORD@db.internal:5432/latchkey',
      otherwise: 'SQLite in the data folder',
      secret: true,
    }),
    LATCHKEY_REDIS_URL: optional(redis, {
      description: 'Redis (policy noeviction) for short-lived values: a server, sentinels or a Cluster.',
      expected:
        'redis://HOST:PORT/NUMBER, redis+sentinel://HOST:PORT,HOST:PORT/GROUP/NUMBER or redis+cluster://HOST:PORT,HOST:PORT; rediss for TLS, with ?ca=FILE for a private authority',
      example: 'redis://redis.internal:6379',
      otherwise: 'the SQL database',
      secret: true,
    }),
  },
  Mail: {
    LATCHKEY_SMTP_URL: optional(address(['smtp', 'smtps'], smtp), {
      description: 'The server that takes our mail; smtp:// insists on STARTTLS unless ?tls=off is added.',
      expected: 'smtps://USER:PASSWORD@HOST:465 or smtp://USER:PASSWORD@HOST:587',
      example: 'smtps://latchkey:PASSWORD@mail.example.com:465',
      otherwise: 'the mailbox at /dev/mail in development, required in production',
      secret: true,
    }),
    LATCHKEY_MAIL_FROM: optional(mailbox, {
      description: 'Sender of our mail.',
      expected: 'a mail address, with or without a name',
      example: 'Acme <no-reply@example.com>',
      otherwise: "Latchkey, no-reply at the issuer's host",
    }),
    LATCHKEY_MAIL_CODE_MINUTES: count('10', 1, 10, 'Minutes in which a mailed code can be used.'),
    LATCHKEY_MAIL_CODE_ATTEMPTS: count('5', 1, 10, 'Wrong tries after which a mailed code is dead.'),
    LATCHKEY_MAIL_CODE_RESET_ATTEMPTS: count('3', 1, 10, 'The same for a code that resets a password.'),
    LATCHKEY_MAIL_CODES_PER_QUARTER_HOUR: count('3', 1, 100, 'Codes of one purpose to one address in 15 minutes.'),
    LATCHKEY_MAIL_CODES_PER_DAY: count('8', 1, 1000, 'Codes of one purpose to one address in 24 hours.'),
    LATCHKEY_MAIL_CODES_RESET_PER_DAY: count('5', 1, 1000, 'The same for codes that reset a password.'),
  },
  'Who may register, and passwords': PEOPLE,
  Limits: LIMITS,
  'How long things live': {
    LATCHKEY_ACCESS_TOKEN_TTL: lifetime(
      '15m',
      '1s',
      '1h',
      'Life of an access token; a JWT can not be revoked earlier.',
    ),
    LATCHKEY_ID_TOKEN_TTL: lifetime('1h', '1s', '1d', 'Life of an ID token.'),
    LATCHKEY_AUTHORIZATION_CODE_TTL: lifetime('60s', '1s', '60s', 'Life of an authorization code.'),
    LATCHKEY_REFRESH_TOKEN_IDLE_TTL: lifetime(
      '7d',
      '1s',
      '365d',
      'A refresh token that is not used for this long ends.',
    ),
    LATCHKEY_REFRESH_TOKEN_ABSOLUTE_TTL: lifetime(
      '90d',
      '1s',
      '365d',
      'A chain of refresh tokens ends after this, used or not.',
    ),
    LATCHKEY_SESSION_IDLE_TTL: lifetime('14d', '1s', '30d', 'A browser session that is not used for this long ends.'),
    LATCHKEY_SESSION_ABSOLUTE_TTL: lifetime('30d', '1s', '30d', 'A browser session ends after this, used or not.'),
    LATCHKEY_INTERACTION_TTL: lifetime('1h', '1m', '1d', 'Time to finish a sign-in that was begun.'),
    LATCHKEY_DEVICE_CODE_TTL: lifetime('10m', '1m', '1h', 'Time to confirm a device.'),
    LATCHKEY_AUDIT_RETENTION: lifetime(
      '365d',
      '1d',
      '3650d',
      'Entries of the audit log that are older than this are removed.',
    ),
  },
  'Second factors': FACTOR_VARIABLES,
  'Network and process': {
    LATCHKEY_TRUST_PROXY: setting(list(network), '', {
      description: "Addresses of the reverse proxies whose X-Forwarded-For is believed; nobody's when empty.",
      expected: 'IP addresses or networks (CIDR) separated by commas',
      example: '127.0.0.1/32, 10.0.0.0/8',
    }),
    LATCHKEY_OUTBOUND_ALLOW: setting(list(networkOrHost), '', {
      description: 'Private hosts and networks that outgoing requests (keys of clients, logout notices) may reach.',
      expected: 'host names, IP addresses or networks (CIDR) separated by commas',
      example: 'app.internal, 10.1.0.0/16',
    }),
    LATCHKEY_HSTS_SUBDOMAINS: setting(flag, 'false', {
      description: "Whether browsers shall use https for all subdomains of the issuer's host too.",
      expected: 'true or false',
      example: 'true',
    }),
    LATCHKEY_DOCS: setting(flag, 'true', {
      description: 'Whether /docs and /openapi.json are served.',
      expected: 'true or false',
      example: 'false',
    }),
    LATCHKEY_METRICS_TOKEN: optional(token, {
      description: 'Bearer token for /metrics (docs/metrics.md); in production there are no metrics without it.',
      expected: 'at least 24 characters that nobody guesses',
      example: '$(openssl rand -hex 24)',
      secret: true,
    }),
    LATCHKEY_WORKERS: count('1', 1, 64, 'Processes that share the port and the database.'),
    LATCHKEY_MAX_CONNECTIONS: count('16384', 10, 1_000_000, 'Connections that are open at the same time.'),
    LATCHKEY_DRAIN_SECONDS: optional(whole(0, 300), {
      description: 'On SIGTERM: seconds of serving on as "not ready", so that a load balancer notices.',
      expected: 'a number from 0 to 300',
      example: '10',
      otherwise: '0 in development, else 5',
    }),
    LATCHKEY_STOP_GRACE_SECONDS: count('10', 0, 300, 'After that: seconds for the requests in flight.'),
  },
} satisfies Record<string, Record<string, Setting<unknown>>>;

type Groups = (typeof GROUPS)[keyof typeof GROUPS];
type Merged<Union> = (Union extends unknown ? (group: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;

/** All settings of one start. */
export const Variables = z.object(Object.assign({}, ...Object.values(GROUPS)) as Merged<Groups>);
