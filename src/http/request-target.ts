/** Which request targets are well formed (RFC 9112, 3.2; RFC 3986). Knows no route. */
import type { Refusal } from './refusal.ts';

/** Bytes of path and query together: room for a long authorization request, which may be pushed (RFC 9126) if longer. */
export const MAX_TARGET = 16 * 1024;

const PRINTABLE = /^[\x21-\x7e]*$/;

export function targetFault(target: string): Refusal | undefined {
  if (target.length > MAX_TARGET) {
    return {
      code: 'invalid_request',
      status: 414,
      detail: `The address is ${target.length} characters long; at most ${MAX_TARGET} are read. Send what is long in a body: an authorization request may be pushed (RFC 9126).`,
    };
  }
  if (!target.startsWith('/')) return malformed('The address of a request starts with "/".');
  if (!PRINTABLE.test(target)) return malformed('The address has characters that must be percent-encoded.');
  const question = target.indexOf('?');
  return pathFault(question < 0 ? target : target.slice(0, question));
}

function pathFault(path: string): Refusal | undefined {
  if (path.includes('#')) return malformed('The address has a "#": a fragment is not sent to a server.');
  if (!path.includes('%')) return undefined;
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return malformed('The path has a percent sign that starts no percent-encoded UTF-8 character.');
  }
  if (decoded.includes('\0')) return malformed('The path has a NUL character (%00).');
  return undefined;
}

function malformed(detail: string): Refusal {
  return { code: 'invalid_request', status: 400, detail };
}
