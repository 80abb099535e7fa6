/** A way to PostgreSQL that reads what is asked on it (the frontend's messages of protocol 3.0) and cuts a connection at a
 * chosen statement: before the server hears of it, or when it is done and its answer is on the way. */
import { connect, createServer, type Socket } from 'node:net';

export interface Fault {
  /** Counts down at each statement; at zero it fails. Infinity: none does. */
  left: number;
  /** Those behind it fail, too. */
  persistent: boolean;
  /** It is done, and only the answer is lost. */
  unheard: boolean;
  hits: number;
  /** Of these, the ones that write. */
  writes: number;
  /** Writing statements that came by, struck or not. */
  seen: number;
}

export const noFault = (): Fault => ({
  ...{ left: Number.POSITIVE_INFINITY, persistent: false, unheard: false },
  ...{ hits: 0, writes: 0, seen: 0 },
});

/** Whether the statement under way is to fail. */
export function strikes(fault: Fault, writing: boolean): boolean {
  if (writing) fault.seen += 1;
  fault.left -= 1;
  if (fault.left > 0 || (fault.left < 0 && !fault.persistent)) return false;
  fault.hits += 1;
  if (writing) fault.writes += 1;
  return true;
}

export interface CuttingWay {
  port: number;
  fault: Fault;
  stop(): void;
}

const WRITES = /^\s*(INSERT|UPDATE|DELETE)\b/;
/** ReadyForQuery, the last message of an answer. */
const READY = 'Z'.charCodeAt(0);
const READY_BYTES = 6;

export async function startCuttingWay(to: number): Promise<CuttingWay> {
  const fault = noFault();
  const sockets = new Set<Socket>();
  const server = createServer((incoming) => {
    const outgoing = connect(to, '127.0.0.1');
    const cut = () => {
      for (const socket of [incoming, outgoing]) {
        sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket);
      socket.on('error', cut).on('close', cut);
    }
    const statements = new Map<string, string>();
    let bound = '';
    let begun = false;
    let unheard = false;
    let rest: Buffer = Buffer.alloc(0);

    /** The statement that a message asks to be done. */
    function statementOf(type: string, body: Buffer): string | undefined {
      const words = body.toString('utf8').split('\0', 2) as [string, string];
      if (type === 'P') statements.set(...words);
      if (type === 'B') bound = statements.get(words[1]) ?? '';
      if (type === 'E') return bound;
      return type === 'Q' ? words[0] : undefined;
    }

    incoming.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        // The first message has no type.
        const head = begun ? 1 : 0;
        const length = rest.length < head + 4 ? Number.POSITIVE_INFINITY : head + rest.readUInt32BE(head);
        if (rest.length < length) return;
        const message = rest.subarray(0, length);
        rest = rest.subarray(length);
        const sql = begun ? statementOf(String.fromCharCode(message[0] as number), message.subarray(5)) : undefined;
        begun = true;
        if (sql !== undefined && !unheard && strikes(fault, WRITES.test(sql))) {
          if (!fault.unheard) return cut();
          unheard = true;
        }
        outgoing.write(message);
      }
    });
    outgoing.on('data', (chunk) => {
      if (!unheard) incoming.write(chunk);
      else if (chunk.at(-READY_BYTES) === READY) cut();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    fault,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
