/** The way back from the browser: one request to a free port of 127.0.0.1 (RFC 8252, section 7.3). */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Callback {
  redirectUri: string;
  /** The first request that `accepts` takes; other programs on this machine may knock as well. */
  received: Promise<URL>;
  close(): void;
}

/** @throws when no port can be had, for example under a strict firewall. */
export async function listenOnLoopback(accepts: (url: URL) => boolean): Promise<Callback> {
  const { promise: received, resolve } = Promise.withResolvers<URL>();
  let redirectUri = '';
  const server = createServer((request, response) => {
    const url = URL.parse(request.url ?? '', redirectUri);
    const ours = request.method === 'GET' && url !== null && url.pathname === '/callback' && accepts(url);
    response.writeHead(ours ? 200 : 404, { 'content-type': 'text/html; charset=utf-8', connection: 'close' });
    response.end(ours ? '<!doctype html><title>Done</title><p>You can close this tab and go back to the app.' : '');
    if (ours) resolve(url);
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed).listen(0, '127.0.0.1', listening);
  });
  redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  return { redirectUri, received, close: () => server.close() };
}
