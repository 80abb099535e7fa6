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
  // Whoever read our output has seen enough (`… | head`).
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  const somebody = stdin.isTTY && stderr.isTTY;

  /** The question goes to stderr: stdout is the answer of the command. */
  async function ask(question: string, output: NodeJS.WritableStream): Promise<string> {
    stderr.write(question);
    const lines = createInterface({ input: stdin, output, terminal: true });
    const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
    try {
      return await Promise.race([lines.question(''), closed]);
    } catch (error) {
      // Ctrl-C at the question is an answer: no.
      if ((error as Error).name === 'AbortError') return '';
      throw error;
    } finally {
      lines.close();
    }
  }

  return {
    out: (words) => stdout.write(words),
    err: (words) => stderr.write(words),
    columns: stdout.columns,
    ask: somebody ? (question) => ask(question, stderr) : undefined,
    askSecret: somebody
      ? async (question) => {
          const answer = await ask(question, new Writable({ write: (_chunk, _encoding, done) => done() }));
          stderr.write('\n');
          return answer;
        }
      : undefined,
    readInput: () => text(stdin),
  };
}
