/** What is opened only where the settings name it: Redis and a mail server, with what their states say in the log. */
import type { Logger } from 'pino';
import { openRedisArtifacts } from './artifacts/open.ts';
import { redisAddress } from './config/redis-address.ts';
import type { Database } from './db/database.ts';
import type { Keyring } from './keyring/keyring.ts';

export function openRedis({ url, db, keyring, log }: { url: string; db: Database; keyring: Keyring; log: Logger }) {
  return openRedisArtifacts({
    target: redisAddress(url),
    db,
    keyring,
    onFault: (err, grave) => log[grave ? 'error' : 'debug']({ err }, grave ?? 'a connection to Redis reports a fault'),
    onState(state, cause) {
      if (state === 'up') log.info({ redis: state }, 'Redis is back');
      else log.warn({ redis: state, err: cause }, 'Redis is degraded: short-lived values go to the SQL database');
    },
    onEviction: (policy) =>
      log.warn(
        { redis: 'degraded', policy },
        `Redis throws values away when it is full (maxmemory-policy ${policy}). Set maxmemory-policy noeviction.`,
      ),
  });
}

export async function openSmtp({ url, from, log }: { url: string; from: string; log: Logger }) {
  const { createSmtpMailer } = await import('./mail/smtp.ts');
  return createSmtpMailer({ url, from, log });
}
