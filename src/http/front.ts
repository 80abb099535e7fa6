/**
 * The outermost layer: gives a request its id and its true address, refuses what is not meant for this issuer, and
 * replaces every header by which a client could lie about host, scheme or address. What stands behind it may
 * therefore run with `proxy = true` (SECURITY D8, X02, X04). Knows no route but the ones that any host may ask for.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { clientAddress, createTrust, peerAddress } from './client-address.ts';
import { type Refusal, refuse } from './refusal.ts';
import { rememberRequest, requestContext } from './request-context.ts';
import { targetFault } from './request-target.ts';

export type Listener = (req: IncomingMessage, res: ServerResponse) => void;

export interface FrontOptions {
  issuer: URL;
  /** Networks of the proxies whose `X-Forwarded-For` is believed. */
  trustProxy: readonly string[];
  /** Paths that answer under any host and without TLS: probes know neither. */
  anyHostPaths: readonly string[];
  /** Sees every request, also the refused ones, before anything else happens to it. */
  observe?: Listener;
  onMisdirected?: (host: string, req: IncomingMessage) => void;
  /** Answers at once what is the same for everybody, before anything is set on the response; false: go on. */
  ready?: (req: IncomingMessage, res: ServerResponse) => boolean;
  next: Listener;
}

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const KNOWN_METHODS: ReadonlySet<string | undefined> = new Set(METHODS);

const PROXY_HEADER =
  /^(?:forwarded|via|x-forwarded(?:-.*)?|x-real-ip|x-client-ip|x-cluster-client-ip|x-original-.*|true-client-ip|cf-connecting-ip)$/;

/** @throws Error when `trustProxy` has an entry that is no network. */
export function createFront(options: FrontOptions): Listener {
  const { issuer, observe, ready, next } = options;
  const trusted = createTrust(options.trustProxy);
  const anyHost = new Set(options.anyHostPaths);
  const hosts = hostsOf(issuer);
  // A URL works its members out at each reading.
  const truth = { host: issuer.host, scheme: issuer.protocol.slice(0, -1) };
  const encrypted = issuer.protocol === 'https:';

  return (req, res) => {
    receive(req, trusted);
    observe?.(req, res);
    const { search, path } = target(req);
    const fault =
      methodFault(req) ??
      targetFault(req.url ?? '') ??
      (anyHost.has(path) ? undefined : addressFault(req, path + search));
    if (!fault && ready?.(req, res)) return;
    res.setHeader('X-Request-ID', requestContext(req).id);
    tellTheTruth(req, truth);
    if (fault) return refuse(req, res, fault);
    next(req, res);
  };

  function addressFault(req: IncomingMessage, address: string): Refusal | undefined {
    const host = hostHeader(req);
    if (!hosts.has(host) && !hosts.has(host.toLowerCase())) {
      options.onMisdirected?.(host, req);
      return misdirected(issuer, address);
    }
    const { peer } = requestContext(req);
    if (encrypted && !isEncrypted(req) && !trusted(peer)) return unencrypted(issuer, peer);
    return undefined;
  }
}

/** The issuer's host as clients may write it: with its default port, or without. */
function hostsOf(issuer: URL): Set<string> {
  const standard = issuer.protocol === 'https:' ? '443' : '80';
  return new Set(issuer.port ? [issuer.host] : [issuer.host, `${issuer.hostname}:${standard}`]);
}

/** Headers of proxies are gone afterwards, from wherever they came. */
function receive(req: IncomingMessage, trusted: (address: string) => boolean): void {
  const { headers } = req;
  const peer = peerOf(req.socket);
  const id = randomUUID();
  const address = clientAddress(peer, headers['x-forwarded-for'] as string | undefined, trusted);
  let forwarded = false;
  for (const name in headers) {
    if (!PROXY_HEADER.test(name)) continue;
    forwarded = true;
    delete headers[name];
  }
  rememberRequest(req, { id, address, peer, forwarded, startedAt: performance.now() });
}

/** A connection keeps its peer. */
const peers = new WeakMap<Socket, string>();

function peerOf(socket: Socket): string {
  let peer = peers.get(socket);
  if (peer === undefined) {
    peer = peerAddress(socket.remoteAddress);
    peers.set(socket, peer);
  }
  return peer;
}

function tellTheTruth(req: IncomingMessage, issuer: { host: string; scheme: string }): void {
  const { id, address } = requestContext(req);
  const { headers } = req;
  headers.host = issuer.host;
  headers['x-forwarded-proto'] = issuer.scheme;
  headers['x-forwarded-for'] = address;
  headers['x-request-id'] = id;
}

/** An absolute-form target (RFC 9112, 3.2.2) carries the host itself: it is moved to where the host is checked. */
function target(req: IncomingMessage): { path: string; search: string } {
  const absolute = req.url?.startsWith('/') ? null : /^https?:\/\/([^/?#]*)(.*)$/i.exec(req.url ?? '');
  if (absolute) {
    req.headers.host = absolute[1];
    req.url = absolute[2]?.startsWith('/') ? absolute[2] : `/${absolute[2]}`;
  }
  const url = req.url ?? '';
  const question = url.indexOf('?');
  return question < 0 ? { path: url, search: '' } : { path: url.slice(0, question), search: url.slice(question) };
}

/** Two Host headers are a disguise (RFC 9112, 3.2); Node would silently take the first. */
function hostHeader(req: IncomingMessage): string {
  const { rawHeaders } = req;
  let count = 0;
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const name = rawHeaders[n] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') count += 1;
  }
  return count > 1 ? '' : (req.headers.host ?? '');
}

function isEncrypted(req: IncomingMessage): boolean {
  return 'encrypted' in req.socket && req.socket.encrypted === true;
}

function methodFault(req: IncomingMessage): Refusal | undefined {
  if (KNOWN_METHODS.has(req.method)) return undefined;
  return {
    code: 'method_not_allowed',
    status: 405,
    detail: `The method ${req.method} is not used here. Use one of ${METHODS.join(', ')}.`,
    headers: { Allow: METHODS.join(', ') },
  };
}

function misdirected(issuer: URL, address: string): Refusal {
  const short = address.length > 200 ? '/' : address;
  return {
    code: 'misdirected_request',
    status: 421,
    detail: `This server answers as ${issuer.origin} only. Open ${issuer.origin}${short} instead.`,
  };
}

function unencrypted(issuer: URL, peer: string): Refusal {
  return {
    code: 'invalid_request',
    status: 400,
    detail:
      `${issuer.origin} is reached through a TLS proxy, but this request came without encryption from ${peer}, ` +
      'which is not a trusted proxy. If it is the proxy, add its address to LATCHKEY_TRUST_PROXY.',
  };
}
