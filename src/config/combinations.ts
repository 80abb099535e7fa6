/** What settings mean together: faults that stop a start, and doubts that are only said. */

import type { Settings } from './assembly.ts';
import type { Fault } from './fault.ts';
import { about } from './setting.ts';
import { isLoopback } from './values.ts';
import { Variables } from './variables.ts';

/** OWASP's two smallest settings for Argon2id (KiB and passes). */
const ARGON2_FLOOR = [
  { memoryKiB: 19_456, passes: 2 },
  { memoryKiB: 47_104, passes: 1 },
];

export function combinedFaults(settings: Settings): Fault[] {
  return [
    ...(settings.development ? [] : productionFaults(settings)),
    ...lifetimeFaults(settings),
    ...passwordFaults(settings),
    ...passkeyFaults(settings),
  ];
}

function productionFaults({ issuer, secretKeys, smtpUrl, argon2 }: Settings): Fault[] {
  const why = isLoopback(issuer.hostname)
    ? 'production mode (NODE_ENV is production)'
    : `production mode (the host ${issuer.hostname} is not loopback)`;
  const faults: Fault[] = [];
  if (issuer.protocol !== 'https:') {
    faults.push(fault('LATCHKEY_ISSUER', `is ${issuer.origin}, which is not https, in ${why}`));
  }
  if (secretKeys.length === 0) faults.push(fault('LATCHKEY_SECRET_KEY', `is missing in ${why}`));
  if (!smtpUrl) faults.push(fault('LATCHKEY_SMTP_URL', `is missing in ${why}`));
  if (!ARGON2_FLOOR.some(({ memoryKiB, passes }) => argon2.memoryKiB >= memoryKiB && argon2.passes >= passes)) {
    faults.push({
      name: 'LATCHKEY_ARGON2_MEMORY_KIB and LATCHKEY_ARGON2_PASSES',
      problem: `are ${argon2.memoryKiB} and ${argon2.passes}, too cheap for ${why}`,
      expected: `at least ${ARGON2_FLOOR.map(({ memoryKiB, passes }) => `${memoryKiB} and ${passes}`).join(', or ')}`,
    });
  }
  return faults;
}

function lifetimeFaults({ ttl }: Settings): Fault[] {
  const pairs = { REFRESH_TOKEN: ttl.refreshToken, SESSION: ttl.session };
  return Object.entries(pairs)
    .filter(([, { idle, absolute }]) => idle > absolute)
    .map(([kind]) => ({
      name: `LATCHKEY_${kind}_IDLE_TTL`,
      problem: `is longer than LATCHKEY_${kind}_ABSOLUTE_TTL`,
      expected: 'an idle time within the absolute one',
    }));
}

function passwordFaults({ passwordPolicy, passwordMinLength, argon2 }: Settings): Fault[] {
  const faults: Fault[] = [];
  if (passwordPolicy === 'nist' && passwordMinLength < 15) {
    faults.push(fault('LATCHKEY_PASSWORD_MIN_LENGTH', `is ${passwordMinLength}, but LATCHKEY_PASSWORD_POLICY is nist`));
  }
  if (argon2.memoryKiB < 8 * argon2.parallelism) {
    faults.push(fault('LATCHKEY_ARGON2_MEMORY_KIB', 'is less than 8 KiB for each lane of LATCHKEY_ARGON2_PARALLELISM'));
  }
  return faults;
}

/** WebAuthn section 5.1.2: browsers refuse any other domain. */
function passkeyFaults({ issuer, passkeys: { id } }: Settings): Fault[] {
  if (issuer.hostname === id || (id.includes('.') && issuer.hostname.endsWith(`.${id}`))) return [];
  return [fault('LATCHKEY_PASSKEY_RP_ID', `is ${id}, but the host of LATCHKEY_ISSUER is ${issuer.hostname}`)];
}

function fault(name: keyof typeof Variables.shape, problem: string): Fault {
  const { expected, example } = about.get(Variables.shape[name]) ?? {};
  return { name, problem, expected, example: example && `${name}=${example}` };
}

/** Sentences about settings that are allowed and probably not meant. */
export function doubts(settings: Settings): string[] {
  const { issuer, port, development, trustProxy, smtpUrl, databaseUrl } = settings;
  const sentences: string[] = [];
  const issuerPort = Number(issuer.port || (issuer.protocol === 'https:' ? 443 : 80));
  if (development && issuer.protocol === 'http:' && issuerPort !== port) {
    sentences.push(
      `LATCHKEY_ISSUER says port ${issuerPort}, but the server listens on ${port} (LATCHKEY_PORT): unless something forwards it, nobody reaches the issuer.`,
    );
  }
  if (issuer.protocol === 'https:' && trustProxy.length === 0) {
    sentences.push(
      'LATCHKEY_TRUST_PROXY is empty, but the issuer is https and this server speaks plain http: requests are refused until it names the address of the proxy that ends TLS.',
    );
  }
  if (trustProxy.some((cidr) => cidr.endsWith('/0'))) {
    sentences.push('LATCHKEY_TRUST_PROXY trusts everybody: anyone can choose the address that limits and records see.');
  }
  const smtp = smtpUrl ? new URL(smtpUrl) : undefined;
  if (!development && smtp?.searchParams.get('tls') === 'off' && !isLoopback(smtp.hostname)) {
    sentences.push('LATCHKEY_SMTP_URL has tls=off: codes and links travel in clear text to the mail server.');
  }
  if (databaseUrl && new URL(databaseUrl).searchParams.get('sslmode') === 'no-verify') {
    sentences.push(
      'LATCHKEY_DATABASE_URL has sslmode=no-verify: whoever stands between here and PostgreSQL can read and change everything. Say sslmode=verify-full, with sslrootcert=FILE for a private authority.',
    );
  }
  return sentences;
}
