/** Passes bytes on to an instance that says it is ready, as a balancer on the transport layer does. */
import { connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Issuer } from './issuer.ts';

export const PROBE_MS = 100;

/** Instances that are added to the array later are asked, too. */
export async function startBalancer(t: TestContext, port: number, instances: Pick<Issuer, 'env'>[]): Promise<void> {
  const ready = new Set(instances);
  const portOf = ({ env }: Pick<Issuer, 'env'>) => Number(env['LATCHKEY_PORT']);
  const sockets = new Set<Socket>();
  let turn = 0;
  const probing = setInterval(() => {
    for (const instance of instances) {
      fetch(`http://127.0.0.1:${portOf(instance)}/readyz`, { headers: { connection: 'close' } }).then(
        ({ ok }) => (ok ? ready.add(instance) : ready.delete(instance)),
        () => ready.delete(instance),
      );
    }
  }, PROBE_MS);
  const server = createServer((incoming) => {
    turn += 1;
    const to = [...ready][turn % ready.size] ?? (instances[0] as Pick<Issuer, 'env'>);
    const outgoing = connect(portOf(to), '127.0.0.1');
    for (const [from, into] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(from);
      from.pipe(into);
      from.on('error', () => into.destroy());
      from.on('close', () => sockets.delete(from));
    }
  });
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve));
  t.after(() => {
    clearInterval(probing);
    server.close();
    for (const socket of sockets) socket.destroy();
  });
}
