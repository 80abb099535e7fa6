/** The typed settings, put together from the values of the variables, with the defaults that depend on one another. */
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { z } from 'zod';
import { isLoopback } from './values.ts';
import type { Variables } from './variables.ts';

export interface Settings {
  issuer: URL;
  host: string;
  port: number;
  /** Absolute paths. */
  dataDir: string;
  configFile: string | undefined;
  logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  /** The issuer's host is loopback and NODE_ENV is not `production`. */
  development: boolean;
  /** The issuer is https. */
  secureCookies: boolean;
  /** 32 bytes each, the first encrypts; empty in development, where `ensureDevelopmentSecrets` has one. */
  secretKeys: Buffer[];
  /** Seconds; 0 is never. */
  keyRotation: number;
  databaseUrl: string | undefined;
  redisUrl: string | undefined;
  /** Unset in development: mail goes to the mailbox. */
  smtpUrl: string | undefined;
  mailFrom: string;
  limits: {
    actionsPerMinute: number;
    pagesPerMinute: number;
    registrationsPerHour: number;
    registrationsPerHourUnfamiliar: number;
    pushedPerMinute: number;
    introspectionsPerMinute: number;
    secretsPerMinute: number;
    unknownClientsPerMinute: number;
    sessions: number;
    mails: { toAddress: number; ofPurpose: number };
    failures: { perMinute: number; fromSource: number; fromUnknown: number; fromDevice: number };
  };
  mailCodes: {
    minutes: number;
    attempts: number;
    resetAttempts: number;
    perQuarterHour: number;
    perDay: number;
    resetPerDay: number;
  };
  registration: 'open' | 'invite' | 'closed';
  /** Lower case and ASCII; empty for all. */
  registrationDomains: string[];
  passwordPolicy: 'default' | 'nist';
  passwordMinLength: number;
  /** Undefined while the check is switched off. */
  passwordBreachUrl: string | undefined;
  /** Seconds. */
  deletionGrace: number;
  argon2: { memoryKiB: number; passes: number; parallelism: number; concurrency: number; queue: number };
  /** Seconds. */
  ttl: {
    accessToken: number;
    idToken: number;
    authorizationCode: number;
    interaction: number;
    deviceCode: number;
    refreshToken: { idle: number; absolute: number };
    session: { idle: number; absolute: number };
  };
  /** A MaxMind DB, by its absolute path. */
  geoipFile: string | undefined;
  emailSignIn: 'off' | 'allowed' | 'instead';
  factors: {
    /** Who has to have a second factor. */
    required: 'nobody' | 'everybody';
    /** Seconds for which two factors stay proved, at most and while the session is not used. */
    strong: { ttl: number; idle: number };
    /** Seconds for which a browser may skip the second step; 0 is never. */
    rememberedTtl: number;
    /** Seconds until lost factors can be removed by who lost them; 0 is never. */
    recoveryWait: number;
  };
  passkeys: {
    /** False where the host is an IP address: WebAuthn has no passkeys there. */
    possible: boolean;
    /** The domain that passkeys are made for. */
    id: string;
    /** Where they may be used: the issuer first, then related origins. */
    origins: string[];
  };
  /** Seconds. */
  auditRetention: number;
  /** CIDR. */
  trustProxy: string[];
  /** Host names and CIDR. */
  outboundAllow: string[];
  hstsSubdomains: boolean;
  docs: boolean;
  metricsToken: string | undefined;
  workers: number;
  maxConnections: number;
  drainSeconds: number;
  stopGraceSeconds: number;
}

export function assemble(values: z.output<typeof Variables>, cwd: string, nodeEnv: string | undefined): Settings {
  const issuer = values.LATCHKEY_ISSUER ?? new URL(`http://localhost:${values.LATCHKEY_PORT}`);
  const development = isLoopback(issuer.hostname) && nodeEnv !== 'production';
  return {
    issuer,
    host: values.LATCHKEY_HOST ?? (development ? '127.0.0.1' : '0.0.0.0'),
    port: values.LATCHKEY_PORT,
    dataDir: resolve(cwd, values.LATCHKEY_DATA_DIR),
    configFile: values.LATCHKEY_CONFIG && resolve(cwd, values.LATCHKEY_CONFIG),
    logLevel: values.LATCHKEY_LOG_LEVEL,
    development,
    secureCookies: issuer.protocol === 'https:',
    secretKeys: values.LATCHKEY_SECRET_KEY ?? [],
    keyRotation: values.LATCHKEY_KEY_ROTATION,
    databaseUrl: values.LATCHKEY_DATABASE_URL,
    redisUrl: values.LATCHKEY_REDIS_URL,
    smtpUrl: values.LATCHKEY_SMTP_URL,
    mailFrom: values.LATCHKEY_MAIL_FROM ?? `Latchkey <no-reply@${mailHost(issuer.hostname)}>`,
    limits: {
      actionsPerMinute: values.LATCHKEY_LIMIT_ACTIONS_PER_MINUTE,
      pagesPerMinute: values.LATCHKEY_LIMIT_PAGES_PER_MINUTE,
      registrationsPerHour: values.LATCHKEY_LIMIT_REGISTRATIONS_PER_HOUR,
      registrationsPerHourUnfamiliar:
        values.LATCHKEY_LIMIT_REGISTRATIONS_UNFAMILIAR ??
        (development ? values.LATCHKEY_LIMIT_REGISTRATIONS_PER_HOUR : 5),
      pushedPerMinute: values.LATCHKEY_LIMIT_PUSHED_PER_MINUTE,
      introspectionsPerMinute: values.LATCHKEY_LIMIT_INTROSPECTIONS_PER_MINUTE,
      secretsPerMinute: values.LATCHKEY_LIMIT_CLIENT_SECRETS_PER_MINUTE,
      unknownClientsPerMinute: values.LATCHKEY_LIMIT_UNKNOWN_CLIENTS_PER_MINUTE,
      sessions: values.LATCHKEY_LIMIT_SESSIONS_PER_PERSON,
      mails: {
        toAddress: values.LATCHKEY_LIMIT_MAILS_PER_ADDRESS,
        ofPurpose: values.LATCHKEY_LIMIT_MAILS_PER_PURPOSE,
      },
      failures: {
        perMinute: values.LATCHKEY_LIMIT_FAILURES_PER_MINUTE,
        fromSource: values.LATCHKEY_LIMIT_FAILURES_PER_PAIR,
        fromUnknown: values.LATCHKEY_LIMIT_FAILURES_PER_ACCOUNT,
        fromDevice: values.LATCHKEY_LIMIT_FAILURES_PER_DEVICE,
      },
    },
    mailCodes: {
      minutes: values.LATCHKEY_MAIL_CODE_MINUTES,
      attempts: values.LATCHKEY_MAIL_CODE_ATTEMPTS,
      resetAttempts: values.LATCHKEY_MAIL_CODE_RESET_ATTEMPTS,
      perQuarterHour: values.LATCHKEY_MAIL_CODES_PER_QUARTER_HOUR,
      perDay: values.LATCHKEY_MAIL_CODES_PER_DAY,
      resetPerDay: values.LATCHKEY_MAIL_CODES_RESET_PER_DAY,
    },
    registration: values.LATCHKEY_REGISTRATION,
    registrationDomains: values.LATCHKEY_REGISTRATION_DOMAINS,
    passwordPolicy: values.LATCHKEY_PASSWORD_POLICY,
    passwordMinLength: values.LATCHKEY_PASSWORD_MIN_LENGTH ?? (values.LATCHKEY_PASSWORD_POLICY === 'nist' ? 15 : 12),
    passwordBreachUrl: values.LATCHKEY_PASSWORD_BREACH_CHECK ? values.LATCHKEY_PASSWORD_BREACH_URL : undefined,
    deletionGrace: values.LATCHKEY_DELETION_GRACE,
    argon2: {
      memoryKiB: values.LATCHKEY_ARGON2_MEMORY_KIB,
      passes: values.LATCHKEY_ARGON2_PASSES,
      parallelism: values.LATCHKEY_ARGON2_PARALLELISM,
      concurrency: values.LATCHKEY_ARGON2_CONCURRENCY ?? availableParallelism(),
      queue: values.LATCHKEY_ARGON2_QUEUE,
    },
    ttl: {
      accessToken: values.LATCHKEY_ACCESS_TOKEN_TTL,
      idToken: values.LATCHKEY_ID_TOKEN_TTL,
      authorizationCode: values.LATCHKEY_AUTHORIZATION_CODE_TTL,
      interaction: values.LATCHKEY_INTERACTION_TTL,
      deviceCode: values.LATCHKEY_DEVICE_CODE_TTL,
      refreshToken: {
        idle: values.LATCHKEY_REFRESH_TOKEN_IDLE_TTL,
        absolute: values.LATCHKEY_REFRESH_TOKEN_ABSOLUTE_TTL,
      },
      session: { idle: values.LATCHKEY_SESSION_IDLE_TTL, absolute: values.LATCHKEY_SESSION_ABSOLUTE_TTL },
    },
    geoipFile: values.LATCHKEY_GEOIP_FILE && resolve(cwd, values.LATCHKEY_GEOIP_FILE),
    emailSignIn: values.LATCHKEY_EMAIL_SIGN_IN,
    factors: {
      required: values.LATCHKEY_SECOND_FACTOR,
      strong: { ttl: values.LATCHKEY_STRONG_SESSION_TTL, idle: values.LATCHKEY_STRONG_SESSION_IDLE_TTL },
      rememberedTtl: values.LATCHKEY_REMEMBERED_DEVICE_TTL,
      recoveryWait: values.LATCHKEY_FACTOR_RECOVERY_WAIT,
    },
    passkeys: {
      possible: !isAddress(issuer.hostname),
      id: values.LATCHKEY_PASSKEY_RP_ID ?? issuer.hostname,
      origins: [...new Set([issuer.origin, ...values.LATCHKEY_PASSKEY_ORIGINS])],
    },
    auditRetention: values.LATCHKEY_AUDIT_RETENTION,
    trustProxy: values.LATCHKEY_TRUST_PROXY,
    outboundAllow: values.LATCHKEY_OUTBOUND_ALLOW,
    hstsSubdomains: values.LATCHKEY_HSTS_SUBDOMAINS,
    docs: values.LATCHKEY_DOCS,
    metricsToken: values.LATCHKEY_METRICS_TOKEN,
    workers: values.LATCHKEY_WORKERS,
    maxConnections: values.LATCHKEY_MAX_CONNECTIONS,
    drainSeconds: values.LATCHKEY_DRAIN_SECONDS ?? (development ? 0 : 5),
    stopGraceSeconds: values.LATCHKEY_STOP_GRACE_SECONDS,
  };
}

/** An address literal is no domain of a mailbox that anybody could answer to. */
function mailHost(hostname: string): string {
  return isAddress(hostname) ? 'localhost' : hostname;
}

function isAddress(hostname: string): boolean {
  return /^[\d.]+$|^\[/.test(hostname);
}
