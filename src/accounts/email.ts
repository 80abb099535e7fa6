/**
 * One spelling for each mail address. Whatever isn't plainly an address is refused rather than repaired: what is stored
 * is what mail is sent to, and two accounts can't differ by a letter that looks or folds the same.
 */
import { domainToASCII, domainToUnicode } from 'node:url';

export interface Email {
  /** For comparing, storing as unique, and sending: all ASCII, lower case. */
  canonical: string;
  /** As the person writes it: the local part's case is kept, the domain is an A-label in lower case. */
  address: string;
}

export interface EmailRules {
  /** Takes `localhost` as a domain: development only. */
  localhost?: boolean;
}

/** RFC 5321 section 4.5.3.1: octets of the local part, and of the whole without the angle brackets. */
const MAX_LOCAL = 64;
const MAX_ADDRESS = 254;
/** RFC 5322 section 3.2.3 `dot-atom-text`, ASCII only: no quoted parts, no comments, no address literals. */
const DOT_ATOM = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
/** RFC 1123 section 2.1 labels, one dot or more, and a top level that can't be read as a number. */
const HOST = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{0,57}[a-z0-9])$/;
const OUTER_SPACE = /^[ \t\u00a0]+|[ \t\u00a0]+$/g;

/** The address, or null for anything that is not exactly one. Only spaces and tabs around it are taken away. */
export function canonicalEmail(input: string, rules: EmailRules = {}): Email | null {
  // Four UTF-16 units for each octet that may remain bound the work on what is no address anyway.
  if (input.length > MAX_ADDRESS * 4) return null;
  const text = input.replace(OUTER_SPACE, '');
  const at = text.lastIndexOf('@');
  const local = text.slice(0, Math.max(0, at));
  if (local.length > MAX_LOCAL || !DOT_ATOM.test(local)) return null;
  const domain = canonicalDomain(text.slice(at + 1), rules);
  if (domain === null) return null;
  const address = `${local}@${domain}`;
  return address.length > MAX_ADDRESS ? null : { canonical: `${lowerAscii(local)}@${domain}`, address };
}

/** For showing an address to its owner: the domain in its own script. Never for comparing or sending. */
export function displayEmail(address: string): string {
  const at = address.lastIndexOf('@');
  const domain = address.slice(at + 1);
  const shown = domainToUnicode(domain);
  return domainToASCII(shown) === domain ? `${address.slice(0, at)}@${shown}` : address;
}

/** Whether the address belongs to one of the domains: `example.com` is itself alone, `*.example.com` what is below it.
 * An empty list allows every domain. */
export function domainAllowed(canonical: string, domains: string[]): boolean {
  if (domains.length === 0) return true;
  const domain = canonical.slice(canonical.lastIndexOf('@') + 1);
  return domains.some((entry) => {
    const below = entry.startsWith('*.');
    const allowed = canonicalDomain(below ? entry.slice(2) : entry, { localhost: true });
    return allowed !== null && (below ? domain.endsWith(`.${allowed}`) : domain === allowed);
  });
}

/** An A-label domain in lower case, or null. */
function canonicalDomain(input: string, { localhost = false }: EmailRules): string | null {
  // Checked before the URL parser sees it, which decodes percent signs, drops tabs and reads numbers as addresses.
  if (!/^[A-Za-z0-9.\u{80}-\u{10ffff}-]+$/u.test(input) || [...input].some(foldsIntoAscii)) return null;
  const typed = lowerAscii(input.normalize('NFC'));
  const domain = domainToASCII(typed);
  if (localhost && domain === 'localhost') return domain;
  if (!HOST.test(domain) || domain.length > MAX_ADDRESS - 2) return null;
  const shown = domainToUnicode(domain);
  // Nothing but the case of letters may have been mapped, and a typed A-label has to mean what it says.
  const faithful = (typed === domain || shown === typed.toLowerCase()) && !/(?:^|\.)xn--/.test(shown);
  return faithful && domainToASCII(shown) === domain ? domain : null;
}

/** U+212A KELVIN SIGN becomes `k`, a full-width letter its narrow one: another spelling of somebody else's domain. */
function foldsIntoAscii(character: string): boolean {
  return (character.codePointAt(0) as number) > 0x7f && /[\0-\x7f]/.test(character.normalize('NFKC').toLowerCase());
}

/** `toLowerCase` would fold letters outside ASCII into it. */
const lowerAscii = (text: string) => text.replace(/[A-Z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 32));
