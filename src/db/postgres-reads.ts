/**
 * Reads of single rows that are asked for in one turn of the event loop leave for PostgreSQL together, on one connection:
 * what costs most of such a read is to send it and to hear of its answer. Each is a transaction of its own, as alone.
 */
import type pg from 'pg';

interface Waiting<Question> {
  question: Question;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** What is used of the driver's client. */
interface Inside {
  connection: { stream: { cork(): void; uncork(): void } };
}

export interface ReadsOptions<Question> {
  connect(): Promise<pg.PoolClient>;
  /** Sends it at once. */
  ask(client: pg.PoolClient, question: Question): Promise<unknown>;
  /** Whether the connection is of no use any more. */
  isBroken(error: unknown): boolean;
}

export function createReads<Question>({ connect, ask, isBroken }: ReadsOptions<Question>) {
  let waiting: Waiting<Question>[] = [];

  async function send(): Promise<void> {
    const sent = waiting;
    waiting = [];
    try {
      const client = await connect();
      client.release(await answered(client, sent));
    } catch (error) {
      for (const { reject } of sent) reject(error);
    }
  }

  /** Resolves when all are, with what broke the connection. */
  async function answered(client: pg.PoolClient, sent: Waiting<Question>[]): Promise<Error | undefined> {
    const { stream } = (client as unknown as Inside).connection;
    let broken: Error | undefined;
    stream.cork();
    const answers = sent.map(({ question, resolve, reject }) =>
      ask(client, question).then(resolve, (error) => {
        if (isBroken(error)) broken = error;
        reject(error);
      }),
    );
    stream.uncork();
    await Promise.all(answers);
    return broken;
  }

  return (question: Question): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (waiting.push({ question, resolve, reject }) === 1) setImmediate(send);
    });
}
