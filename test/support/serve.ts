/** A real server for one test, with the front before it, and a raw socket to say what no HTTP client would. */
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import Koa, { type Middleware } from 'koa';
import { createFront, type FrontOptions, type Listener } from '../../src/http/front.ts';
import { createServer, type HttpServer, type ServerLimits } from '../../src/http/server.ts';

export interface Served {
  /** Where it really listens; the issuer may be another. */
  port: number;
  origin: string;
  server: HttpServer;
}

export async function serve(t: TestContext, listener: Listener, limits?: Partial<ServerLimits>): Promise<Served> {
  const server = createServer(listener, limits);
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => server.stop({ drainMs: 0, graceMs: 0 }));
  return { port, origin: `http://127.0.0.1:${port}`, server };
}

/** `issuer` undefined: the origin that the server gets. */
export async function serveFront(
  t: TestContext,
  next: Listener,
  options: Partial<Omit<FrontOptions, 'next'>> = {},
  limits?: Partial<ServerLimits>,
): Promise<Served> {
  let front: Listener | undefined;
  const served = await serve(t, (req, res) => front?.(req, res), limits);
  const issuer = options.issuer ?? new URL(served.origin);
  front = createFront({ issuer, trustProxy: [], anyHostPaths: ['/livez'], ...options, next });
  return served;
}

/** A koa application behind the front. */
export async function serveKoa(
  t: TestContext,
  middleware: Middleware[],
  options: Partial<Omit<FrontOptions, 'next'>> & { keys?: Koa['keys'] } = {},
): Promise<Served> {
  const app = new Koa({ proxy: true });
  if (options.keys) app.keys = options.keys;
  for (const each of middleware) app.use(each);
  return serveFront(t, app.callback(), options);
}

/** Sends the pieces as they are, `pauseMs` apart, and returns all that came back until the server closed, until `until` was
 * there, or `waitMs`. */
export function raw(
  port: number,
  pieces: string | Buffer | (string | Buffer)[],
  { waitMs = 3000, pauseMs = 5, until }: { waitMs?: number; pauseMs?: number; until?: RegExp } = {},
): Promise<{ text: string; closed: boolean; ms: number }> {
  const started = performance.now();
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    const finish = (closed: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, closed, ms: performance.now() - started });
    };
    const timer = setTimeout(() => finish(false), waitMs);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (until?.test(text)) finish(false);
    });
    socket.on('end', () => finish(true));
    socket.on('close', () => finish(true));
    socket.on('error', () => {});
    socket.on('connect', async () => {
      for (const piece of [pieces].flat()) {
        if (!socket.writable) return;
        socket.write(piece);
        await new Promise((done) => setTimeout(done, pauseMs));
      }
    });
  });
}
