/** `latchkey backup` and `latchkey restore` */
import type { Command } from 'commander';
import { AppError } from '../errors.ts';
import type { Restored } from '../ops/restoration.ts';
import { notBlank } from './arguments.ts';
import { UsageFault } from './failure.ts';
import { example } from './help.ts';
import { isAlive } from './instance.ts';
import { minute } from './printing.ts';
import type { Answer, Flags, Running } from './running.ts';

const ENDED = `
Everybody is signed out after a restore: nobody knows what was revoked or used after the backup was made. Sessions,
refresh tokens, opaque access tokens, codes, remembered browsers and consents of the backup end, and mail that waited in
it is dropped. What was changed later is as it was: passwords, second factors, disabled accounts, secrets of clients.
`;

export function addBackupCommands(program: Command, running: Running): void {
  program
    .command('backup')
    .description('copy the SQLite database while it is in use')
    .requiredOption('--to <file>', 'a new file; an existing one is never written over', notBlank)
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey backup --to /backups/latchkey-$(date +%F).db'))
    .action((flags: Flags & { to: string }) =>
      running.run(flags, async (services) => {
        const made = await services.backup.make(flags.to);
        return {
          object: made,
          text: `${made.file}: ${made.bytes} bytes, checked. Keep LATCHKEY_SECRET_KEY elsewhere.`,
        };
      }),
    );

  program
    .command('restore')
    .description('put a backup into an empty data folder; everybody is signed out')
    .option('--from <file>', 'the backup; the data folder must have no database', notBlank)
    .option('--in-place', 'the database was restored already, by pg_restore or as files: only sign everybody out')
    .option('--yes', "with --in-place: don't ask")
    .option('--json', 'print JSON')
    .addHelpText('after', ENDED + example('latchkey restore --from /backups/latchkey-2026-11-02.db'))
    .action(async (flags: Flags & { from?: string; inPlace?: true; yes?: true }) => {
      const { from } = flags;
      if ((from === undefined) === (flags.inPlace === undefined)) {
        throw new UsageFault(
          'Say which backup to restore (--from FILE), or that the database is restored (--in-place).',
        );
      }
      if (from === undefined) {
        running.requireAnswerable(flags.yes);
        await running.confirm(flags.yes, 'End every session and token in this database?');
      }
      if (await isAlive(running.options.address())) {
        throw new AppError('conflict', { message: 'An instance with these settings is running. Stop it first.' });
      }
      const restored = await running.opened(({ restoring }) =>
        from === undefined ? restoring.inPlace() : restoring.from(from),
      );
      running.print(answerOf(restored), flags);
    });
}

function answerOf(restored: Restored): Answer {
  const { people, mails, until } = restored;
  const lines = [
    `Restored as of ${minute(until)} UTC; what happened later is lost.`,
    `Signed out: ${people} ${people === 1 ? 'person' : 'people'}. Mails dropped: ${mails}.`,
  ];
  return { object: restored, text: lines.join('\n') };
}
