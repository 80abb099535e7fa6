/** The commands about the instance itself: `serve`, `migrate`, `healthcheck`, `generate`. */
import { request } from 'node:http';
import type { Command } from 'commander';
import { NotAlive } from './failure.ts';
import { example } from './help.ts';
import type { Flags, Running } from './running.ts';

const PATIENCE_MS = 4000;

/** `ended` is told the server's exit code. */
export function addInstanceCommands(program: Command, running: Running, ended: (exitCode: number) => void): void {
  const { options } = running;

  program
    .command('serve')
    .description('start the issuer (the default)')
    .addHelpText('after', example('LATCHKEY_PORT=3100 latchkey serve'))
    .action(async () => ended(await options.serve()));

  program
    .command('migrate')
    .description('bring the database to the current schema')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey migrate'))
    .action(async (flags: Flags) => {
      const applied = await running.opened((services) => services.migrate());
      const text = applied.length === 0 ? 'nothing to do' : applied.map((name) => `applied ${name}`).join('\n');
      running.print({ object: { applied }, text }, flags);
    });

  program
    .command('healthcheck')
    .description('ask the instance of these settings whether it is alive; exit code 0 or 1')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey healthcheck && echo alive'))
    .action(async (flags: Flags) => {
      const address = livenessUrl(options.address());
      const status = await answerOf(address);
      running.print({ object: { address, status, alive: true }, text: `${address} answers.` }, flags);
    });

  program
    .command('generate')
    .description('write the files that come from the settings: .env.example, tables, schemas')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey generate'))
    .action(async (flags: Flags) => {
      const files = await options.generate();
      running.print({ object: { files }, text: files.map((name) => `wrote ${name}`).join('\n') }, flags);
    });
}

/** Whether an instance of these settings runs on this machine. */
export const isAlive = (address: { host: string; port: number }): Promise<boolean> =>
  answerOf(livenessUrl(address)).then(
    () => true,
    () => false,
  );

/** An instance that listens on every address is asked on loopback. */
function livenessUrl({ host, port }: { host: string; port: number }): string {
  const everywhere = ['', '0.0.0.0', 'localhost'].includes(host);
  const name = everywhere ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}/livez`;
}

/** @throws NotAlive unless the answer is 200. */
async function answerOf(address: string): Promise<number> {
  const status = await new Promise<number>((resolve, reject) => {
    const asking = request(address, { timeout: PATIENCE_MS, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asking.once('timeout', () => asking.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} seconds`)));
    asking.once('error', reject);
    asking.end();
  }).catch((error: NodeJS.ErrnoException) => {
    throw new NotAlive(
      `${address} does not answer (${error.code ?? error.message}). Is the instance running with these settings?`,
    );
  });
  if (status !== 200) throw new NotAlive(`${address} answers ${status}.`);
  return status;
}
