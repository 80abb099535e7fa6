/** What the front learned about a request, for everything behind it. Nothing in it was believed without a reason. */
import type { IncomingMessage } from 'node:http';

export interface RequestContext {
  /** Our own id of the request, on the response as `X-Request-ID`. */
  id: string;
  /** The client's address, found through the trusted proxies (SECURITY D8). IPv4-mapped IPv6 is written as IPv4. */
  address: string;
  /** The address at the other end of the socket: the client's own or a proxy's. */
  peer: string;
  /** Any header that a proxy adds was present, trusted or not. */
  forwarded: boolean;
  /** `performance.now()` at the arrival, in milliseconds; no wall clock. */
  startedAt: number;
}

const CONTEXT = Symbol('request context');
type Known = IncomingMessage & { [CONTEXT]?: RequestContext };

export function rememberRequest(req: IncomingMessage, context: RequestContext): void {
  (req as Known)[CONTEXT] = context;
}

/** When the request arrived, in milliseconds since 1970, however long it has waited since. */
export function arrivedAt(req: IncomingMessage): number {
  return Date.now() - (performance.now() - requestContext(req).startedAt);
}

/** @throws Error for a request that did not come through the front: guards that rely on it must not guess. */
export function requestContext(req: IncomingMessage): RequestContext {
  const context = (req as Known)[CONTEXT];
  if (!context) throw new Error('this request did not come through createFront, so nothing is known about it');
  return context;
}
