/**
 * Ports that nobody listens on, and that no other test process is given. They lie below those which the system takes for
 * outgoing connections; a Redis Cluster's second port, ten thousand higher, does too.
 */
import { createServer, type Server } from 'node:net';

const FIRST = 12_000;
const BLOCK = 100;
const BLOCKS = 100;

let block: Promise<number> | undefined;
let given = 0;

export async function freePort(): Promise<number> {
  block ??= ownBlock();
  const start = await block;
  for (let tries = 1; tries < BLOCK; tries += 1) {
    const port = start + 1 + (given++ % (BLOCK - 1));
    const server = await listening(port);
    if (!server) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error(`no port is free from ${start} on`);
}

/** Whose process listens on a block's first port has the block, as long as it lives. */
async function ownBlock(): Promise<number> {
  for (let tries = 0; tries < BLOCKS; tries += 1) {
    const start = FIRST + ((process.pid + tries) % BLOCKS) * BLOCK;
    const guard = await listening(start, '127.0.0.1');
    if (!guard) continue;
    guard.unref();
    return start;
  }
  throw new Error('every block of ports has an owner');
}

function listening(port: number, host?: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen({ port, host }, () => resolve(server));
  });
}
