/**
 * The command line as a whole. A door only: it reads words, calls the features and prints. It reads no environment;
 * what it needs of the process comes in as functions.
 */
import { Command, CommanderError } from 'commander';
import { addAddressCommands } from './addresses.ts';
import { addAuditCommands } from './audit.ts';
import { addBackupCommands } from './backup.ts';
import { addClientCommands } from './clients.ts';
import { EXIT, EXIT_CODES_HELP } from './exit-code.ts';
import { type Failure, failureOf, Unavailable, usageFailure } from './failure.ts';
import { addInstanceCommands } from './instance.ts';
import { addKeyCommands } from './keys.ts';
import { addMailCommands } from './mail.ts';
import { addOutboxCommands } from './outbox.ts';
import { json, safe, safeLines } from './printing.ts';
import { createRunning } from './running.ts';
import { addSecretCommands } from './secrets.ts';
import type { ProgramOptions } from './services.ts';
import { addSessionCommands } from './sessions.ts';
import { addUserCommands } from './users.ts';

export function createProgram(options: ProgramOptions) {
  const words = options.words ?? (({ code }) => code.replaceAll('_', ' '));

  /** Runs one command; resolves with the exit code and throws nothing. */
  async function run(argv: readonly string[]): Promise<number> {
    const asked = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
    const fail = ({ exit, problem, text }: Failure, told = false): number => {
      if (!told) options.err(`latchkey: ${safeLines(text)}\n`);
      if (asked.includes('--json')) options.out(`${json(problem)}\n`);
      return exit;
    };
    let exitCode: number = EXIT.done;
    try {
      const command = buildCommand(options, (code) => {
        exitCode = code;
      });
      await command.parseAsync(commandOf(argv), { from: 'user' });
      await options.flush?.().catch((error: Error) => {
        throw new Unavailable(`The answer could not be written to the standard output: ${error.message}.`);
      });
      return exitCode;
    } catch (error) {
      if (!(error instanceof CommanderError)) return fail(failureOf(error, words));
      if (error.exitCode === 0) return EXIT.done;
      const missing = error.code === 'commander.help';
      return fail(usageFailure(missing ? 'A command is missing.' : safe(error.message.replace(/^error: /, ''))), true);
    }
  }

  return { run };
}

/** Nothing is `serve`, and `help …` is `… --help`. */
function commandOf(argv: readonly string[]): string[] {
  if (argv.length === 0) return ['serve'];
  return argv[0] === 'help' ? [...argv.slice(1), '--help'] : [...argv];
}

/** The tree of commands. `ended` is told the exit code of a server that has stopped, or of a check. */
export function buildCommand(options: ProgramOptions, ended: (exitCode: number) => void = () => {}): Command {
  const program = new Command('latchkey');
  program
    .description('A self-hosted OAuth 2.0 and OpenID Connect provider.')
    .version(options.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('Add --help to see what there is.')
    .configureOutput({
      writeOut: options.out,
      writeErr: options.err,
      outputError: (text, write) => write(`latchkey: ${safeLines(text.replace(/^error: /, ''))}`),
      getOutHelpWidth: () => options.columns ?? 100,
      getErrHelpWidth: () => options.columns ?? 100,
    })
    .addHelpText(
      'after',
      `
Every command has --help. Those that print something have --json, which prints the objects of the API and, of a
failure, a problem object (RFC 9457).

${EXIT_CODES_HELP}

Example:
  latchkey clients create --preset nextjs --name "My app"`,
    );
  const running = createRunning(options);
  addInstanceCommands(program, running, ended);
  addBackupCommands(program, running);
  addUserCommands(program, running);
  addSessionCommands(program, running);
  addAddressCommands(program, running);
  addClientCommands(program, running);
  addMailCommands(program, running);
  addOutboxCommands(program, running);
  addAuditCommands(program, running, ended);
  addKeyCommands(program, running);
  addSecretCommands(program, running);
  return program;
}
