/** The streams of a process as the command line uses them. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Terminal } from './services.ts';

export interface Streams {
  stdin: NodeJS.ReadStream;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

export function createTerminal({ stdin, stdout, stderr }: Streams): Terminal {
  const writing: Array<Promise<void>> = [];
  // Told by `flush`, to whoever waits for the answer to be out.
  stdout.on('error', () => {});

  /** The question goes to stderr: stdout is the answer of the command. Nothing shows what is typed after `secretly`. */
  async function ask(question: string, secretly = false): Promise<string> {
    const output = secretly ? new Writable({ write: (_chunk, _encoding, done) => done() }) : stderr;
    const lines = createInterface({ input: stdin, output, terminal: true });
    const closed = new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined)));
    try {
      const typed = lines.question(question);
      // Only now, because before it the terminal itself would show what is typed.
      if (secretly) stderr.write(question);
      const answer = await Promise.race([typed, closed]);
      if (secretly || answer === undefined) stderr.write('\n');
      return answer ?? '';
    } catch (error) {
      // Ctrl-C at the question is an answer: no.
      if ((error as Error).name !== 'AbortError') throw error;
      stderr.write('\n');
      return '';
    } finally {
      lines.close();
    }
  }

  const somebody = stdin.isTTY && stderr.isTTY;
  return {
    out: (words) => void writing.push(written(stdout, words)),
    err: (words) => void stderr.write(words),
    flush: async () => void (await Promise.all(writing)),
    columns: stdout.columns,
    ask: somebody ? (question) => ask(question) : undefined,
    askSecret: somebody ? (question) => ask(question, true) : undefined,
    readInput: () => text(stdin),
  };
}

/** A reader that has seen enough and went away (`… | head`) is no fault. */
function written(stream: NodeJS.WriteStream, words: string): Promise<void> {
  const done = new Promise<void>((resolve, reject) => {
    stream.write(words, (error) => {
      if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') reject(error);
      else resolve();
    });
  });
  done.catch(() => {});
  return done;
}
