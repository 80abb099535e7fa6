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
