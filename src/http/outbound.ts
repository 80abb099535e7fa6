/**
 * Every request that this service sends to an address somebody else chose (keys of clients, logout notices). The address
 * is judged when the connection is made, after the look-up, so that neither a disguise of loopback nor a name that
 * changes its mind gets past. Knows no feature.
 */
import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { Agent, buildConnector, fetch as undiciFetch } from 'undici';
import { createAddressGuard } from './outbound-address.ts';

export interface OutboundOptions {
  /** Host names, addresses and networks (CIDR) that may be reached although they are not public. */
  allow: string[];
  /** Milliseconds for the whole exchange, body included. */
  timeoutMs?: number;
  /** Bytes of an answer's body, after decompression. */
  maxBytes?: number;
  /** Stands in for the system's resolver. It is asked for all addresses of a name. */
  lookup?: LookupFunction;
}

/** `invalid_request`: not http or https. `address_refused`: not public and not allowed. `redirect`: the answer was one,
 * and none is followed. `unreachable`: no connection, a bad certificate or a broken answer. */
export type OutboundReason =
  | 'invalid_request'
  | 'address_refused'
  | 'redirect'
  | 'too_large'
  | 'timeout'
  | 'unreachable';

export class OutboundError extends Error {
  readonly reason: OutboundReason;

  constructor(reason: OutboundReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'OutboundError';
    this.reason = reason;
  }
}

/** As the global `fetch`, but a redirect is an error, the body has been read, and `dispatcher` and `redirect` of the
 * init are ignored: what fits oidc-provider's `fetch` option, whose own guard (in `dispatcher`) knows no exception. */
export interface Outbound {
  /** @throws OutboundError, or the reason of the caller's signal. */
  (input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** Ends idle connections; requests under way finish first. */
  close(): Promise<void>;
}

/** Connections to one origin at the same time. */
const CONNECTIONS = 8;
/** Statuses whose answers have no body (Fetch standard, "null body status"). */
const NO_BODY = new Set([204, 205, 304]);

export function createOutbound(options: OutboundOptions): Outbound {
  const { timeoutMs = 2_500, maxBytes = 64 * 1024 } = options;
  const guard = createAddressGuard(options.allow);
  let client: Promise<Client> | undefined;

  /** Loaded at the first use: most installations send nothing out. */
  async function open(): Promise<Client> {
    const undici = await import('undici');
    const connect = guardedConnector(guard, options.lookup, undici.buildConnector, timeoutMs);
    const dispatcher = new undici.Agent({ connect, connections: CONNECTIONS, maxHeaderSize: 16_384 });
    return { fetch: undici.fetch, dispatcher };
  }

  async function outbound(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = requestOf(input, init);
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
    try {
      client ??= open();
      const { fetch, dispatcher } = await client;
      const response = await fetch(request.url, {
        method: request.method,
        headers: [...request.headers],
        body: request.body === null ? null : await request.arrayBuffer(),
        redirect: 'manual',
        signal,
        dispatcher,
      });
      return await wholeAnswer(response, maxBytes);
    } catch (error) {
      throw failure(error, request);
    }
  }

  const close = async () => (await client)?.dispatcher.close();
  return Object.assign(outbound, { close });
}

interface Client {
  fetch: typeof undiciFetch;
  dispatcher: Agent;
}

function guardedConnector(
  guard: ReturnType<typeof createAddressGuard>,
  lookup: LookupFunction = systemLookup as LookupFunction,
  connector: typeof buildConnector,
  timeout: number,
) {
  const refusal = (host: string) =>
    new OutboundError(
      'address_refused',
      `${host} is not a public address. If this service shall reach it, add it to LATCHKEY_OUTBOUND_ALLOW.`,
    );

  const guardedLookup: LookupFunction = (host, wanted, callback) => {
    lookup(host, { ...wanted, all: true }, (error, answer) => {
      if (error) return callback(error, []);
      const found = Array.isArray(answer) ? answer : [{ address: answer, family: isIP(answer) }];
      const passing = found.filter(({ address }) => guard.allows(host, address));
      const [first] = passing;
      if (!first) return callback(refusal(host), []);
      if (wanted.all) return callback(null, passing);
      return callback(null, first.address, first.family);
    });
  };

  const connect = connector({ lookup: guardedLookup, timeout, allowH2: false });
  const guarded: buildConnector.connector = (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    // A literal address is never looked up.
    if (isIP(host) !== 0 && !guard.allows(host, host)) return callback(refusal(host), null);
    return connect(target, (...[error, socket]: [Error, null] | [null, Socket]) => {
      if (error) return callback(error, null);
      if (guard.allows(host, socket.remoteAddress ?? '')) return callback(null, socket);
      socket.destroy();
      return callback(refusal(host), null);
    });
  };
  return guarded;
}

function requestOf(input: string | URL | Request, init?: RequestInit): Request {
  try {
    const request = new Request(input, init);
    if (/^https?:/.test(request.url)) return request;
  } catch (error) {
    throw new OutboundError('invalid_request', 'The address or options of the request can not be used.', error);
  }
  throw new OutboundError('invalid_request', 'Only http and https addresses can be requested.');
}

/** The answer with its body in memory, so that no caller can forget to bound or to end it. */
async function wholeAnswer(response: Awaited<ReturnType<typeof undiciFetch>>, maxBytes: number): Promise<Response> {
  const { status, statusText, body } = response;
  if (status >= 300 && status < 400 && status !== 304) {
    await body?.cancel();
    throw new OutboundError('redirect', `The answer was a redirect (${status}), and none is followed.`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    // Leaving the loop ends the stream and with it the connection.
    if (size > maxBytes) throw new OutboundError('too_large', `The answer is larger than ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  const headers = new Headers([...response.headers]);
  // They speak of the body as it was on the wire.
  for (const name of ['content-encoding', 'content-length']) headers.delete(name);
  return new Response(NO_BODY.has(status) ? null : Buffer.concat(chunks), { status, statusText, headers });
}

function failure(error: unknown, request: Request): unknown {
  const { name, cause } = error as { name?: string; cause?: unknown };
  if (error instanceof OutboundError) return error;
  if (cause instanceof OutboundError) return cause;
  const { host } = new URL(request.url);
  if (name === 'TimeoutError' || (cause as { code?: string } | undefined)?.code === 'UND_ERR_CONNECT_TIMEOUT') {
    return new OutboundError('timeout', `${host} did not answer in time.`, error);
  }
  if (request.signal.aborted) return request.signal.reason;
  const why =
    cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : (error as Error).message;
  return new OutboundError('unreachable', `${host} could not be reached: ${why}`, error);
}
