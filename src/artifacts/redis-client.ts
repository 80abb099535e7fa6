/** A connection to Redis in each of its forms, set so that no caller ever waits long: no queue while it is away, no
 * repetition, 250 ms for an answer. Knows no key. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { isCertificateFault } from '../db/certificate.ts';
import { DatabaseFault } from '../db/connect.ts';
import { TIMED_OUT } from './breaker.ts';

const PATIENCE_MS = 250;
/** The client's own bound, for what nobody waits for any more. */
const COMMAND_TIMEOUT_MS = 1000;
/** A socket that says nothing for so long while an answer is due is replaced. */
const SILENCE_MS = 1500;
const SLOTS_MS = 1000;
/** A server that stays read-only may be a former master whose name means another one by now: connect again, but not at
 * once and ever more seldom, because reads pause meanwhile. */
const LOOK_AGAIN_MS = { first: 5000, most: 300_000 };

export interface RedisTarget {
  kind: 'single' | 'sentinel' | 'cluster';
  tls: boolean;
  nodes: Array<{ host: string; port: number }>;
  master: string | undefined;
  database: number;
  username: string | undefined;
  password: string | undefined;
  sentinelPassword: string | undefined;
  /** With TLS, the file of a private authority. Certificates are verified either way. */
  ca: string | undefined;
}

export interface RedisLink {
  client: Redis | Cluster;
  /** Each server that takes writes; one, but for a Cluster. */
  masters(): Redis[];
  close(): void;
}

/** Connects in the background and for ever. `onReady` at each connection, `onError` at each fault. */
export function openRedis(
  target: RedisTarget,
  { onReady, onError }: { onReady(): void; onError(error: Error): void },
): RedisLink {
  const client = target.kind === 'cluster' ? cluster(target) : single(target);
  client.on('error', onError);
  client.on('ready', onReady);
  // Of these the client says no more than that they are closed.
  if (target.tls) client.on('node error', onError).on('sentinelError', createDistrust(target, onError));
  client.connect().catch(() => {});
  // A master that is dead redirects nobody: who replaced it has to be asked.
  const refresh = setInterval(() => {
    if (client instanceof Cluster && client.status === 'ready') client.refreshSlotsCache();
  }, SLOTS_MS);
  refresh.unref();
  return {
    client,
    masters: () => (client instanceof Cluster ? client.nodes('master') : [client]),
    close() {
      clearInterval(refresh);
      // Ended in the middle of a handshake, a socket can fail twice. The client hears it once, and a fault that nobody
      // hears ends the process.
      for (const { stream } of client instanceof Cluster ? client.nodes() : [client]) stream?.on('error', () => {});
      client.disconnect();
    },
  };
}

/**
 * What Redis answers within 250 ms. The client's own timer would call an answer late that lies in the socket while this
 * process is busy: it is read first.
 */
export function inTime<Answer>(command: Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(TIMED_OUT));
    const timer = setTimeout(() => setImmediate(late), PATIENCE_MS);
    command.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Asks the sentinels by connections of its own why they are not talked to: their certificates may not be trusted. */
function createDistrust({ nodes, ca }: RedisTarget, onError: (error: Error) => void): () => void {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - last < LOOK_AGAIN_MS.first) return;
    last = performance.now();
    for (const node of nodes) {
      const socket = connect({ ...node, ...trusted({ ca }), timeout: 1000 }, () => socket.destroy());
      socket.once('error', (error) => isCertificateFault(error) && onError(error));
      socket.once('timeout', () => socket.destroy());
    }
  };
}

function connection(target: RedisTarget): RedisOptions {
  return {
    ...(target.username ? { username: target.username } : {}),
    ...(target.password ? { password: target.password } : {}),
    ...(target.tls ? { tls: trusted(target) } : {}),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: 1000,
    socketTimeout: SILENCE_MS,
    lazyConnect: true,
    reconnectOnError: lookAgain(),
  };
}

/** @throws DatabaseFault when the file of the authority can't be read. */
function trusted({ ca }: Pick<RedisTarget, 'ca'>): { ca?: Buffer } {
  if (ca === undefined) return {};
  try {
    return { ca: readFileSync(ca) };
  } catch (error) {
    throw new DatabaseFault(
      `The file that LATCHKEY_REDIS_URL names as ca can't be read (${(error as Error).message}).`,
      { cause: error },
    );
  }
}

function lookAgain(): (error: Error) => false | 1 {
  let since = 0;
  let last = Number.NEGATIVE_INFINITY;
  let pause = LOOK_AGAIN_MS.first;
  return (error) => {
    if (!error.message.startsWith('READONLY')) return false;
    const now = performance.now();
    if (now - last > LOOK_AGAIN_MS.first) {
      since = now;
      pause = LOOK_AGAIN_MS.first;
    }
    last = now;
    if (now - since < pause) return false;
    since = now;
    pause = Math.min(2 * pause, LOOK_AGAIN_MS.most);
    return 1;
  };
}

const patience = (attempt: number) => Math.min(50 * attempt, 1000);

function single(target: RedisTarget): Redis {
  const common = { ...connection(target), db: target.database, retryStrategy: patience };
  if (target.kind === 'single') return new Redis({ ...common, ...target.nodes[0] });
  return new Redis({
    ...common,
    sentinels: target.nodes,
    name: target.master as string,
    ...(target.sentinelPassword ? { sentinelPassword: target.sentinelPassword } : {}),
    ...(target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: trusted(target) } : {}),
    sentinelCommandTimeout: 500,
    sentinelRetryStrategy: patience,
    // Without it a master that hangs keeps its connection although the sentinels have chosen another.
    failoverDetector: true,
  });
}

function cluster(target: RedisTarget): Cluster {
  const { enableOfflineQueue: _off, lazyConnect: _lazy, ...redisOptions } = connection(target);
  const options: ClusterOptions = {
    redisOptions: redisOptions as NonNullable<ClusterOptions['redisOptions']>,
    enableOfflineQueue: false,
    lazyConnect: true,
    clusterRetryStrategy: patience,
    clusterNodeRetryStrategy: patience,
    // The client's own interval outlives a disconnection that meets a refresh under way (ioredis 6.0).
    slotsRefreshInterval: 0,
    slotsRefreshTimeout: 500,
    // Redirections are followed; waiting is not: SQL is there.
    maxRedirections: 4,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 20,
  };
  return new Cluster(target.nodes, options);
}
