/** Who asks: the socket's peer, or what trusted proxies say of it. Knows addresses only (SECURITY D8). */
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

const NOWHERE = '0.0.0.0';
const HOST_AND_PORT = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/;

/**
 * A test for membership in `cidrs` (networks such as `10.0.0.0/8`, or single addresses).
 * @throws Error that names an entry which is neither.
 */
export function createTrust(cidrs: readonly string[]): (address: string) => boolean {
  const networks = cidrs.map(network);
  return (address) => {
    if (networks.length === 0 || !ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return networks.some(([base, bits]) => base.kind() === parsed.kind() && parsed.match([base, bits] as never));
  };
}

function network(cidr: string): [Address, number] {
  try {
    const [base, bits] = cidr.includes('/') ? ipaddr.parseCIDR(cidr) : wholeAddress(ipaddr.parse(cidr));
    if (base.kind() === 'ipv6' && (base as ipaddr.IPv6).isIPv4MappedAddress() && bits >= 96) {
      return [(base as ipaddr.IPv6).toIPv4Address(), bits - 96];
    }
    return [base, bits];
  } catch {
    throw new Error(`"${cidr}" is no network: write an address such as 10.0.0.7 or a network such as 10.0.0.0/8`);
  }
}

function wholeAddress(address: Address): [Address, number] {
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/** The peer's address in its shortest form; an address of nobody when the socket is already gone. */
export function peerAddress(remoteAddress: string | undefined): string {
  return remoteAddress && ipaddr.isValid(remoteAddress) ? ipaddr.process(remoteAddress).toString() : NOWHERE;
}

/**
 * Walks `X-Forwarded-For` from the right, the only end that a trusted proxy has written, and stops at the first
 * address that is not trusted, or before an entry that is no address.
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | undefined,
  trusted: (address: string) => boolean,
): string {
  let address = peer;
  let rest = forwardedFor;
  while (rest !== undefined && trusted(address)) {
    const comma = rest.lastIndexOf(',');
    const next = entry(rest.slice(comma + 1).trim());
    if (!next) break;
    address = next;
    rest = comma < 0 ? undefined : rest.slice(0, comma);
  }
  return address;
}

/** Some gateways write a port behind the address; forms such as `0x7f.1` or a zone are no address here. */
function entry(text: string): string | undefined {
  const plain = ipaddr.IPv6.isValid(text) ? text : text.match(HOST_AND_PORT)?.slice(1).find(Boolean);
  if (!plain || plain.includes('%')) return undefined;
  if (!ipaddr.IPv4.isValidFourPartDecimal(plain) && !ipaddr.IPv6.isValid(plain)) return undefined;
  return ipaddr.process(plain).toString();
}
