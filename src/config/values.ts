/** How the text of one setting becomes a value. Each reader throws Refused with the rest of a sentence. */
import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';
import { Refused } from './fault.ts';

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const DOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;
const MAILBOX = /^[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]+@[A-Za-z0-9.-]+$/;
const NAME = /^[^<>\p{Cc}]*$/u;

export const text = (value: string): string => value;

export const whole =
  (min: number, max: number) =>
  (value: string): number => {
    if (!/^\d{1,12}$/.test(value)) throw new Refused('is not a whole number');
    return within(Number(value), min, max, String);
  };

/** Seconds, written as `90`, `90s`, `15m`, `12h` or `7d`. */
export const duration =
  (min: string, max: string) =>
  (value: string): number => {
    const seconds = secondsOf(value);
    if (seconds === undefined) throw new Refused('is not a time span');
    const limits = { [secondsOf(min) as number]: min, [secondsOf(max) as number]: max };
    return within(seconds, secondsOf(min) as number, secondsOf(max) as number, (limit) => limits[limit] as string);
  };

/** Seconds; 0 is never. A day is the least, because a key is published for a day before it signs. */
export const rotation = orNever('1d', '365d');

/** Seconds; 0 is never. */
export function orNever(min: string, max: string) {
  return (value: string): number => (/^0[smhd]?$/.test(value) ? 0 : duration(min, max)(value));
}

export function secondsOf(value: string): number | undefined {
  const [, amount, unit] = /^(\d{1,9})([smhd]?)$/.exec(value) ?? [];
  return amount === undefined ? undefined : Number(amount) * UNIT_SECONDS[(unit || 's') as keyof typeof UNIT_SECONDS];
}

function within(value: number, min: number, max: number, words: (limit: number) => string): number {
  if (value < min) throw new Refused(`is less than ${words(min)}`);
  if (value > max) throw new Refused(`is more than ${words(max)}`);
  return value;
}

export const choice =
  <const Choices extends readonly string[]>(choices: Choices) =>
  (value: string): Choices[number] => {
    if (!choices.includes(value)) throw new Refused('is none of the choices');
    return value;
  };

export function flag(value: string): boolean {
  if (value !== 'true' && value !== 'false') throw new Refused('is neither true nor false');
  return value === 'true';
}

/** Items separated by commas or white space, each read by `item`. */
export const list =
  <Item>(item: (value: string) => Item) =>
  (value: string): Item[] =>
    value
      .split(/[\s,]+/)
      .filter((each) => each !== '')
      .map(item);

/** An address or a network, as CIDR. */
export function network(value: string): string {
  const cidr = value.includes('/') ? value : `${value}/${value.includes(':') ? 128 : 32}`;
  if (!ipaddr.isValidCIDR(cidr) || !/^[0-9a-f.:]+\/\d+$/i.test(cidr)) {
    throw new Refused(`has the entry ${quoted(value)}, which is neither an IP address nor a network`);
  }
  return cidr;
}

export function networkOrHost(value: string): string {
  if (/^[\d.]+$|[:/]/.test(value)) return network(value);
  return domain(value);
}

/** A host name in lower case and ASCII. */
export function domain(value: string): string {
  const name = domainToASCII(value.replace(/^@/, '')).toLowerCase();
  if (!DOMAIN.test(name)) throw new Refused(`has the entry ${quoted(value)}, which is not a host name`);
  return name;
}

/** An address alone, or `Name <address>`. Each part is looked at once, however long it is. */
export function mailbox(value: string): string {
  const open = value.indexOf('<');
  const named = open >= 0 && value.endsWith('>');
  const address = named ? value.slice(open + 1, -1) : value;
  if (!MAILBOX.test(address) || !NAME.test(named ? value.slice(0, open) : ''))
    throw new Refused('is not a mail address');
  return value;
}

/** An address of a service. The value is never shown, because it may carry a password. */
export const address =
  (schemes: readonly string[], refuse: (url: URL) => string | undefined = () => undefined) =>
  (value: string): string => {
    const url = URL.parse(value);
    if (!url) throw new Refused('is not an address (special characters of the password need percent-encoding)');
    if (!schemes.includes(url.protocol.slice(0, -1))) {
      throw new Refused(`begins with ${url.protocol}// instead of ${schemes.map((each) => `${each}://`).join(' or ')}`);
    }
    const refused = refuse(url);
    if (refused) throw new Refused(refused);
    return value;
  };

/** An origin: scheme, host and port, nothing more (RFC 6454; the issuer of OpenID Connect Discovery without a path). */
export function origin(value: string): URL {
  const url = URL.parse(value);
  if (!url || !/^https?:\/\//i.test(value)) throw new Refused('is not an http or https address');
  if (url.username || url.password) throw new Refused('contains a user name or password');
  if (url.pathname !== '/') throw new Refused('has a path; an issuer here is an origin');
  if (url.search || url.hash || /[?#]/.test(value)) throw new Refused('has a query or fragment');
  return url;
}

/** An origin whose pages browsers let use passkeys: https, or http on this machine. */
export function webOrigin(value: string): string {
  const url = origin(value);
  if (url.protocol !== 'https:' && !isLoopback(url.hostname)) {
    throw new Refused(`has the entry ${quoted(value)}, which is not https`);
  }
  return url.origin;
}

/** Whether only this machine can reach the host (RFC 6761 for `localhost`, RFC 1122, RFC 4291). */
export function isLoopback(hostname: string): boolean {
  const host = hostname.toLowerCase();
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** At most 80 characters, control characters made visible. */
export function quoted(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}…` : value);
}

/** For `address`: what is wrong with the rest of an smtp address. */
export function smtp(url: URL): string | undefined {
  const strange = [...url.searchParams].find(([name, value]) => name !== 'tls' || value !== 'off');
  if (strange) return 'has a parameter other than tls=off';
  return url.hostname === '' ? 'names no host' : undefined;
}

export function port(value: string): number {
  if (/^tcp:/.test(value)) {
    throw new Refused(
      'was set by Kubernetes for a service named latchkey (use enableServiceLinks: false, or another name)',
    );
  }
  return whole(1, 65_535)(value);
}
