/** Artifacts as they are configured: on SQL, or on Redis with SQL behind it. A Redis that is away delays nothing. */
import { isCertificateFault } from '../db/certificate.ts';
import type { Database } from '../db/database.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { Artifacts } from './artifacts.ts';
import { createFallback } from './fallback.ts';
import { createLedger } from './ledger.ts';
import type { RedisTarget } from './redis-client.ts';
import { createSqlArtifacts } from './sql.ts';
import { createWatch, type WatchOptions } from './watch.ts';

/** How long the start waits for the first connection before it goes on without. */
const FIRST_CONTACT_MS = 1500;

export interface RedisArtifactsOptions extends Pick<WatchOptions, 'onState' | 'onEviction'> {
  target: RedisTarget;
  db: Database;
  keyring: Keyring;
  /** Faults of single connections and values; there may be many. `grave`: what the operator has to know, told once. */
  onFault(error: Error, grave?: string): void;
}

/** Resolves when Redis answers, or soon after it was found not to; `volatile.state()` says which. */
export async function openRedisArtifacts(options: RedisArtifactsOptions): Promise<Artifacts> {
  // Loaded only where it is configured: the client costs 25 MB.
  const { createRedisValues } = await import('./redis.ts');
  const { db, keyring, target } = options;
  let connected = () => {};
  const contact = new Promise<void>((resolve) => {
    const patience = setTimeout(resolve, FIRST_CONTACT_MS);
    connected = () => {
      clearTimeout(patience);
      resolve();
    };
  });
  let told = false;
  /** Why there is no connection, as far as it is known. */
  let reason: Error | undefined;
  const values = createRedisValues({
    target,
    keyring,
    onError(error) {
      reason = error;
      const words = told ? undefined : refusal(error);
      options.onFault(error, words);
      if (words === undefined) return;
      told = true;
      // Who refuses now will do so in a second, too.
      connected();
    },
    onUnopened: (error) => options.onFault(error),
    onReady() {
      told = false;
      reason = undefined;
      connected();
      void watch.inspect();
    },
  });
  const watch = createWatch({
    values,
    onState: (state, cause) => options.onState(state, NO_CONNECTION.test(String(cause)) ? unconnected(reason) : cause),
    onEviction: options.onEviction,
  });
  await contact;
  await watch.beat();
  watch.start();
  return createFallback({ sql: createSqlArtifacts({ db, keyring }), ledger: createLedger(db), values, watch, keyring });
}

/** What the client says of a command for which it has no connection. */
const NO_CONNECTION = /isn't writeable|Connection is closed|max retries per request/;

const unconnected = (reason: Error | undefined) =>
  new Error(`There is no connection to Redis${reason ? ` (${reason.message})` : ''}.`, { cause: reason });

/** What only the operator can mend, in words. */
function refusal(error: Error): string | undefined {
  if (/\b(WRONGPASS|NOAUTH)\b/.test(error.message)) {
    return `Redis refuses the user or password of LATCHKEY_REDIS_URL (${error.message}), so it is not used.`;
  }
  if (!isCertificateFault(error)) return undefined;
  return `The certificate of Redis is refused (${error.message}), so it is not used. Its name must be the host of LATCHKEY_REDIS_URL; a private authority is named there by ?ca=FILE.`;
}
