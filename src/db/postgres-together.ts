/**
 * Statements that leave for PostgreSQL together and are one transaction: between two Syncs of the extended protocol
 * either all are done or none (PostgreSQL, section 55.2.3), in one round trip. The driver would send a Sync behind each.
 */
import pg from 'pg';
import type { Value } from './statement.ts';

export interface Prepared {
  name: string;
  text: string;
  params: readonly Value[];
}

/** One of them failed, and none is done. */
export class TogetherFailed extends Error {
  /** Which: those before it had succeeded. */
  readonly index: number;
  /** It was not known before on this connection: whether the server knows it now is not known. */
  readonly unsure: boolean;

  constructor(index: number, unsure: boolean, cause: unknown) {
    super('a statement failed', { cause });
    this.index = index;
    this.unsure = unsure;
  }
}

/** What is used of the driver's connection. */
interface Connection {
  stream: { cork(): void; uncork(): void };
  /** The texts that the server knows by name. */
  parsedStatements: Record<string, string>;
  parse(statement: { name: string; text: string }): void;
  bind(statement: { statement: string; values: (string | Buffer | null)[] }): void;
  execute(): void;
  sync(): void;
}

/** @throws TogetherFailed */
export function sendTogether(client: pg.PoolClient, statements: readonly Prepared[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = new pg.Query('');
    let done = 0;
    const fresh = new Map<string, string>();
    let known: Connection['parsedStatements'] = {};

    function submit(connection: Connection): null {
      known = connection.parsedStatements;
      connection.stream.cork();
      for (const { name, text, params } of statements) {
        if (known[name] === undefined && !fresh.has(name)) {
          fresh.set(name, text);
          connection.parse({ name, text });
        }
        connection.bind({ statement: name, values: params.map(bound) });
        connection.execute();
      }
      connection.sync();
      connection.stream.uncork();
      return null;
    }

    Object.assign(query, {
      submit,
      handleDataRow() {},
      handleCommandComplete() {
        done += 1;
      },
      callback(error: Error | null) {
        if (error) return reject(new TogetherFailed(done, fresh.size > 0, error));
        for (const [name, text] of fresh) known[name] = text;
        resolve();
      },
    });
    client.query(query);
  });
}

function bound(value: Value): string | Buffer | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' || Buffer.isBuffer(value) ? value : String(value);
}
