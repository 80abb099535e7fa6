/** A way to a server on which connections can be lost: what was there goes silent both ways, new ones get through. */
import { connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface LossyWay {
  port: number;
  /** As when an address moves to another machine: nobody is told, nothing is closed. @returns what gives them back. */
  lose(): () => void;
}

export async function startLossyWay(t: TestContext, to: number): Promise<LossyWay> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((incoming) => {
    const outgoing = connect(to, '127.0.0.1');
    const pair = [incoming, outgoing] as const;
    pairs.add(pair);
    for (const [from, into] of [pair, [outgoing, incoming] as const]) {
      from.pipe(into);
      from.on('error', () => into.destroy());
      from.on('close', () => {
        pairs.delete(pair);
        into.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  });
  return {
    port: (server.address() as { port: number }).port,
    lose() {
      const lost = [...pairs];
      for (const [incoming, outgoing] of lost) {
        incoming.unpipe(outgoing).pause();
        outgoing.unpipe(incoming).pause();
      }
      return () => {
        for (const [incoming, outgoing] of lost) {
          incoming.pipe(outgoing);
          outgoing.pipe(incoming);
        }
      };
    },
  };
}
