/** Servers and requests for the tests of outgoing requests. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import type { TestContext } from 'node:test';
import { createOutbound, type OutboundReason } from '../../src/http/outbound.ts';

/** A server on 127.0.0.1 that counts its connections. */
export async function startServer(
  t: TestContext,
  answer: RequestListener = (_request, response) => response.end('hello'),
) {
  const seen = { connections: 0, port: 0, url: '' };
  const server = createServer(answer).on('connection', () => {
    seen.connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  seen.port = (server.address() as AddressInfo).port;
  seen.url = `http://127.0.0.1:${seen.port}`;
  return seen;
}

export function startOutbound(t: TestContext, options: Partial<Parameters<typeof createOutbound>[0]> = {}) {
  const outbound = createOutbound({ allow: [], ...options });
  t.after(() => outbound.close());
  return outbound;
}

/** A resolver with one answer for every name. */
export const resolvingTo =
  (...addresses: string[]): LookupFunction =>
  (_host, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

/** The request fails with an OutboundError. */
export const fails = (request: Promise<unknown>, reason: OutboundReason, words = /./) =>
  assert.rejects(request, (error: unknown) => {
    assert.equal((error as { reason?: string }).reason, reason, String((error as Error).stack));
    assert.match((error as Error).message, words);
    return true;
  });
