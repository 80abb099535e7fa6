/** Node's HTTP server with limits, words for broken requests, and an end that loses none (SECURITY D9, X03, T20). */
import { createServer as createHttpServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { within } from '../patience.ts';
import { brokenRequest } from './broken-request.ts';
import type { Listener } from './front.ts';

export interface ServerLimits {
  /** Milliseconds until the headers of a request are complete. */
  headersTimeout: number;
  /** Milliseconds until a whole request has arrived. */
  requestTimeout: number;
  /** How often, in milliseconds, both are looked at. */
  connectionsCheckingInterval: number;
  /** Milliseconds that an idle connection is kept; longer than the proxy keeps it, or the proxy loses requests. */
  keepAliveTimeout: number;
  maxRequestsPerSocket: number;
  /** Open connections; more are closed at once. */
  maxConnections: number;
  /** Bytes of request line and headers: an address of 16 KiB must fit, so that it can be refused in words. */
  maxHeaderSize: number;
}

export const SERVER_LIMITS: Readonly<ServerLimits> = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 1_000,
  keepAliveTimeout: 65_000,
  maxRequestsPerSocket: 1_000,
  maxConnections: 16_384,
  maxHeaderSize: 24 * 1024,
};

/** Milliseconds that a client has to hang up after it was told why it is not served. */
const FAREWELL_MS = 1000;

/** Milliseconds in which a busy process has read what lies in its sockets. */
const UNREAD_MS = 100;

/** The port can't be had; the message is a sentence for the operator. */
export class ListenFault extends Error {
  override name = 'ListenFault';
  /** `EX_UNAVAILABLE` of sysexits.h. */
  readonly exitCode = 69;
}

export interface HttpServer {
  /** `port` 0 takes a free one. @throws ListenFault */
  listen(at: { host: string; port: number }): Promise<AddressInfo>;
  /**
   * Answers with `Connection: close` for `drainMs` (so that balancers look elsewhere and clients reconnect there),
   * then accepts nothing, lets requests finish for `graceMs`, and cuts the rest. A second call with zeros is "now".
   * @returns how many requests were cut.
   */
  stop(patience: { drainMs: number; graceMs: number }): Promise<{ cut: number }>;
  readonly draining: boolean;
}

export function createServer(listener: Listener, limits: Partial<ServerLimits> = {}): HttpServer {
  const { maxConnections, maxRequestsPerSocket, ...options } = { ...SERVER_LIMITS, ...limits };
  const server = createHttpServer(options);
  server.maxConnections = maxConnections;
  server.maxRequestsPerSocket = maxRequestsPerSocket;
  const traffic = watch(server);
  server.on('request', listener);

  return {
    listen: (at) => listen(server, at),
    async stop({ drainMs, graceMs }) {
      traffic.drain();
      if (server.listening && drainMs > 0) await pause(drainMs);
      const closed = close(server);
      // What somebody has said already is read first.
      await within(Math.min(graceMs, UNREAD_MS), closed, undefined);
      traffic.closeSilent();
      await within(graceMs, closed, undefined);
      const cut = traffic.inFlight();
      traffic.cut();
      await closed;
      return { cut };
    },
    get draining() {
      return traffic.draining();
    },
  };
}

/** Which connection is busy with which answers; Node itself tells neither. */
function watch(server: Server) {
  const sockets = new Map<Socket, Set<ServerResponse>>();
  let draining = false;

  server.on('connection', (socket) => {
    sockets.set(socket, new Set());
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', (req, res) => {
    const answers = sockets.get(req.socket);
    if (draining) res.setHeader('Connection', 'close');
    answers?.add(res);
    res.once('close', () => answers?.delete(res));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const started = [...(sockets.get(socket) ?? [])].some((answer) => answer.headersSent);
    if (error.code === 'ECONNRESET' || !socket.writable || started) return socket.destroy();
    return sayFarewell(socket, error.code);
  });
  server.on('connect', (_req, socket) => sayFarewell(socket, 'CONNECT'));

  return {
    draining: () => draining,
    inFlight: () => [...sockets.values()].reduce((sum, answers) => sum + answers.size, 0),
    drain() {
      draining = true;
      for (const answers of sockets.values()) {
        for (const answer of answers) if (!answer.headersSent) answer.setHeader('Connection', 'close');
      }
    },
    /** Browsers open connections ahead of need; Node would wait for their first request until it times out. */
    closeSilent() {
      for (const socket of sockets.keys()) if (socket.bytesRead === 0) socket.destroy();
    },
    /** Also those that Node no longer counts among its own: of a CONNECT. */
    cut() {
      for (const socket of sockets.keys()) socket.destroy();
    },
  };
}

/** Half of a connection stays open for as long as the client likes, unless it is cut. Node hands over the socket of a
 * CONNECT without a listener, and an error that nobody hears ends the process. */
function sayFarewell(socket: Duplex, code: string | undefined): void {
  socket.on('error', () => {});
  socket.end(brokenRequest(code));
  const timer = setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) =>
      reject(new ListenFault(listenWords(error, host, port), { cause: error }));
    server.once('error', fail);
    server.listen({ host, port }, () => {
      server.off('error', fail);
      resolve(server.address() as AddressInfo);
    });
  });
}

function listenWords(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE') {
    return `Port ${port} on ${host} is in use by another process. Stop that process, or choose another port with LATCHKEY_PORT.`;
  }
  if (error.code === 'EACCES') {
    return `This user may not listen on port ${port}. Choose a port above 1023 with LATCHKEY_PORT and let a proxy take the lower one.`;
  }
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') {
    return `This machine has no address ${host}. Set LATCHKEY_HOST to one it has, or to 0.0.0.0 for all.`;
  }
  return `Listening on ${host}:${port} failed: ${error.message}`;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

/** Keeps no process alive: what is waited for does. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
