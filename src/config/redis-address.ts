/** The forms of a Redis address: one server, servers behind Sentinel, a Cluster. Knows no client. */
import { Refused } from './fault.ts';

export interface RedisAddress {
  kind: 'single' | 'sentinel' | 'cluster';
  tls: boolean;
  /** The server, the sentinels, or the nodes to start from. */
  nodes: Array<{ host: string; port: number }>;
  /** Sentinel only: the name of the group. */
  master: string | undefined;
  database: number;
  username: string | undefined;
  password: string | undefined;
  /** Sentinel only: `?sentinel_password=`, when the sentinels ask for one. */
  sentinelPassword: string | undefined;
  /** With TLS: `?ca=`, the file of the authority that signed the certificates, when it is not a public one. */
  ca: string | undefined;
}

const FORM =
  /^(?<scheme>[a-z+]+):\/\/(?:(?<user>[^:@/?#]*)(?::(?<password>[^@/?#]*))?@)?(?<hosts>[^@/?#]*)(?<path>\/[^?#]*)?(?:\?(?<query>[^#]*))?$/i;
const HOST = /^(?<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?<port>\d{1,5}))?$/i;
const SCHEMES = ['redis', 'rediss', 'redis+sentinel', 'rediss+sentinel', 'redis+cluster', 'rediss+cluster'];
const KINDS = { '': 'single', sentinel: 'sentinel', cluster: 'cluster' } as const;

/** @throws Refused with words that never repeat the value, because it may carry a password. */
export function redisAddress(value: string): RedisAddress {
  const parts = FORM.exec(value)?.groups;
  if (!parts) throw new Refused('is not an address (special characters of the password need percent-encoding)');
  const scheme = (parts['scheme'] as string).toLowerCase();
  if (!SCHEMES.includes(scheme)) throw new Refused(`begins with ${scheme}:// instead of ${SCHEMES.join('://, ')}://`);
  const [transport, suffix = ''] = scheme.split('+');
  const kind = KINDS[suffix as keyof typeof KINDS];
  const nodes = nodesOf(parts['hosts'] as string, kind === 'sentinel' ? 26_379 : 6379);
  if (kind === 'single' && nodes.length > 1) {
    throw new Refused('names several servers; say redis+sentinel:// or redis+cluster://');
  }
  const path = (parts['path'] ?? '').slice(1).split('/');
  const master = kind === 'sentinel' ? decoded(path.shift() ?? '') : undefined;
  if (master === '') throw new Refused('names no group of the sentinels (redis+sentinel://HOST:PORT/GROUP)');
  const { sentinel_password: sentinelPassword, ca } = parameters(parts['query'], {
    sentinel_password: kind === 'sentinel',
    ca: transport === 'rediss',
  });
  return {
    kind,
    tls: transport === 'rediss',
    nodes,
    master,
    database: databaseOf(path, kind),
    username: parts['user'] ? decoded(parts['user']) : undefined,
    password: parts['password'] ? decoded(parts['password']) : undefined,
    sentinelPassword,
    ca,
  };
}

function nodesOf(hosts: string, preset: number): RedisAddress['nodes'] {
  return hosts.split(',').map((text) => {
    const { host, port = String(preset) } = HOST.exec(text)?.groups ?? {};
    if (!host || Number(port) < 1 || Number(port) > 65_535) throw new Refused('has a host that is not HOST:PORT');
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  });
}

function databaseOf(path: string[], kind: RedisAddress['kind']): number {
  const number = path[0] || '0';
  if (path.length > 1 || !/^\d{1,4}$/.test(number))
    throw new Refused('has a path that is not the number of a database');
  if (kind === 'cluster' && number !== '0') throw new Refused('has a database number; a Cluster has only number 0');
  return Number(number);
}

function parameters<Name extends string>(query: string | undefined, fitting: Record<Name, boolean>) {
  const given = new URLSearchParams(query ?? '');
  if ([...given].some(([name, value]) => !fitting[name as Name] || value === '')) {
    throw new Refused('has a parameter that means nothing here');
  }
  return Object.fromEntries(given) as Partial<Record<Name, string>>;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refused('has a part whose percent-encoding is broken');
  }
}

/** For the settings: the checked address as it was written. */
export function redis(value: string): string {
  redisAddress(value);
  return value;
}
