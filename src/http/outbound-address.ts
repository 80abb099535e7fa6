/**
 * Which addresses an outgoing request may connect to: the public internet, and what the operator named. Knows no request.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The only part of IPv6 that is given out for public use (RFC 4291 section 2.4, IANA registry); the list of what is
 * special outside of it is long and grows, and holds ways to write an IPv4 address. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

export interface AddressGuard {
  /** Whether a connection to `address`, reached by the name or literal `host`, may be made. */
  allows(host: string, address: string): boolean;
}

/** `allow`: host names, addresses and networks (CIDR) that may be reached although they are not public.
 * @throws Error in words for the operator. */
export function createAddressGuard(allow: string[]): AddressGuard {
  const hosts = new Set<string>();
  const networks: ReturnType<typeof ipaddr.parseCIDR>[] = [];
  for (const entry of allow) {
    const cidr = entry.includes('/') ? entry : `${entry}/${entry.includes(':') ? 128 : 32}`;
    if (isNetwork(cidr)) networks.push(ipaddr.parseCIDR(cidr));
    else if (/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/i.test(entry) && !/^[\d.]+$/.test(entry)) hosts.add(entry.toLowerCase());
    else throw new Error(`"${entry}" is neither a host name, an IP address nor a network like 10.1.0.0/16.`);
  }

  return {
    allows(host, address) {
      if (isIP(address) === 0) return false;
      // An IPv4 address in IPv6 clothes (::ffff:127.0.0.1) is judged as what it is.
      const parsed = ipaddr.process(address);
      if (hosts.has(host.toLowerCase()) || networks.some((network) => within(parsed, network))) return true;
      return parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || within(parsed, GLOBAL_IPV6));
    },
  };
}

/** Four decimal parts for IPv4: `010.0.0.1` and `10.1` mean different things to different readers. */
function isNetwork(cidr: string): boolean {
  return ipaddr.IPv4.isValidCIDRFourPartDecimal(cidr) || ipaddr.IPv6.isValidCIDR(cidr);
}

/** `match` throws when the kinds differ. */
function within(address: ReturnType<typeof ipaddr.parse>, network: ReturnType<typeof ipaddr.parseCIDR>): boolean {
  return address.kind() === network[0].kind() && address.match(network);
}
