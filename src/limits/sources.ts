/** What counts as one source of requests, and the network around it. Knows addresses only. */
import ipaddr from 'ipaddr.js';

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** An IPv6 customer has a /64 of addresses: it counts as one source. */
export function sourceOf(address: string): string {
  // As the front writes it; parsing it again costs every request several microseconds.
  if (IPV4.test(address)) return address;
  const parsed = parse(address);
  if (!parsed) return address;
  return parsed.kind() === 'ipv4' ? parsed.toString() : prefixOf(parsed as ipaddr.IPv6, 64);
}

/** The network that somebody with many addresses takes them from: a /24, or the /56 that is given to one customer. */
export function networkOf(address: string): string {
  const parsed = parse(address);
  if (!parsed) return address;
  if (parsed.kind() === 'ipv6') return prefixOf(parsed as ipaddr.IPv6, 56);
  return `${(parsed as ipaddr.IPv4).octets.slice(0, 3).join('.')}.0/24`;
}

function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  return ipaddr.isValid(address) ? ipaddr.process(address) : undefined;
}

function prefixOf(address: ipaddr.IPv6, bits: 56 | 64): string {
  const parts = address.parts.slice(0, 4);
  if (bits === 56) parts[3] = (parts[3] as number) & 0xff00;
  return `${parts.map((part) => part.toString(16)).join(':')}::/${bits}`;
}

export interface Network {
  kind: 'ipv4' | 'ipv6';
  base: string;
  /** Length of the prefix. */
  bits: number;
  holds(address: string): boolean;
}

/** An address, or a network by its prefix; undefined for anything else. What is beyond the prefix is dropped. */
export function parseNetwork(text: string): Network | undefined {
  const [first = '', length, ...rest] = text.trim().split('/');
  const written = first.includes(':') ? ipaddr.IPv6.isValid(first) : ipaddr.IPv4.isValidFourPartDecimal(first);
  if (!written || first.includes('%') || rest.length > 0) return undefined;
  const mapped = ipaddr.parse(first).kind() === 'ipv6' && ipaddr.process(first).kind() === 'ipv4';
  const address = ipaddr.process(first);
  const most = address.kind() === 'ipv4' ? 32 : 128;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined;
  const bits = length === undefined ? most : Number(length) - (mapped ? 96 : 0);
  if (bits < 0 || bits > most) return undefined;
  const network = { kind: address.kind() as 'ipv4' | 'ipv6', bits };
  const bytes = address.toByteArray().map((byte, index) => byte & ((0xff00 >> clamp(bits - 8 * index)) & 0xff));
  const base = ipaddr.fromByteArray(bytes);
  return {
    ...network,
    base: base.toString(),
    holds(other) {
      const parsed = parse(other);
      return parsed?.kind() === base.kind() && parsed.match([base, bits] as never);
    },
  };
}

export const networkText = ({ base, bits }: Network): string => `${base}/${bits}`;

const clamp = (bits: number) => Math.min(8, Math.max(0, bits));
