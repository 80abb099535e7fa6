/** Which addresses a client may be sent back to (RFC 9700 section 2.1, RFC 8252 sections 7 and 8; P03, P04). */
import { isLoopback } from './values.ts';

export type ApplicationType = 'web' | 'native';

/** A private-use scheme is a reversed domain name, because only its owner can claim that (RFC 8252 section 7.1). */
const REVERSED_DOMAIN = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:$/;
/** The hosts on which the protocol core accepts plain http of a native client. */
const NATIVE_LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];

/** What is wrong with the address, as the rest of a sentence that begins with it; undefined when it is good. */
export function redirectUriFault(
  uri: string,
  { applicationType }: { applicationType: ApplicationType },
): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(uri) || uri.includes('\\')) {
    return 'has white space, a backslash or another character that an address can not carry';
  }
  const url = URL.parse(uri);
  if (!url) return 'is not an absolute address';
  if (uri.includes('#')) return 'has a fragment';
  if (uri.includes('*')) return 'has a wildcard; every address is registered by itself';
  if (url.username || url.password) return 'contains a user name or password';
  if (/\/\.\.?(?:[/?]|$)/.test(uri)) return 'has dot segments';
  if (url.protocol === 'https:') return httpsFault(url, applicationType);
  if (url.protocol === 'http:') return httpFault(url, applicationType);
  return schemeFault(url, applicationType);
}

function httpsFault({ hostname }: URL, applicationType: ApplicationType): string | undefined {
  if (applicationType === 'native' && NATIVE_LOOPBACK.includes(hostname)) {
    return 'is https on a loopback host; a native client listens there with plain http';
  }
  return undefined;
}

function httpFault({ hostname }: URL, applicationType: ApplicationType): string | undefined {
  const local = applicationType === 'native' ? NATIVE_LOOPBACK.includes(hostname) : isLoopback(hostname);
  return local ? undefined : 'is plain http; only a loopback host (127.0.0.1, [::1], localhost) may be';
}

function schemeFault({ protocol }: URL, applicationType: ApplicationType): string | undefined {
  if (applicationType === 'web') {
    return `has the scheme ${protocol}, but a web client takes https (application_type: native allows a scheme of its own)`;
  }
  if (REVERSED_DOMAIN.test(protocol)) return undefined;
  return `has the scheme ${protocol}, which anybody may claim; use a domain that you own in reverse, like com.example.app:/callback`;
}
