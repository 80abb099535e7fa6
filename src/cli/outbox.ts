/** `latchkey outbox …` */
import { type Command, Option } from 'commander';
import type { Letter } from '../jobs/dead-letters.ts';
import { pageLength } from './arguments.ts';
import { UsageFault } from './failure.ts';
import { example } from './help.ts';
import { minute, table } from './printing.ts';
import type { Flags, Running } from './running.ts';

const ID = 'id of the job';

export function addOutboxCommands(program: Command, running: Running): void {
  const outbox = program
    .command('outbox')
    .description('mail and logout notices that wait, or could not be delivered')
    .helpCommand(false);

  outbox
    .command('list')
    .description('list jobs, oldest first')
    .addOption(new Option('--state <state>', 'only these').choices(['waiting', 'dead']))
    .option('--limit <number>', 'how many, 1 to 200', pageLength, 50)
    .option('--cursor <cursor>', 'go on where the last page ended')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey outbox list --state dead'))
    .action((flags: Flags & { state?: Letter['state']; limit: number; cursor?: string }) =>
      running.run(flags, async ({ deadLetters }) => {
        const { state, limit, cursor } = flags;
        const page = await deadLetters.list({ state, limit, cursor });
        return { object: page, text: letterTable(page.items, page.next) };
      }),
    );

  outbox
    .command('retry')
    .description('try a job again that waits or is dead; the running instance does it within seconds')
    .argument('[id]', ID)
    .option('--all', 'every job that still makes sense')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey outbox retry --all'))
    .action((id: string | undefined, flags: Flags & { all?: true }) => {
      if ((id === undefined) === (flags.all === undefined)) {
        throw new UsageFault('Say which job to try again: its id (`latchkey outbox list` shows them), or --all.');
      }
      return running.run(flags, async ({ deadLetters }) => {
        if (id === undefined) {
          const retried = await deadLetters.retryAll();
          return {
            object: { retried },
            text: `${retried.length} ${retried.length === 1 ? 'job is' : 'jobs are'} due again.`,
          };
        }
        await deadLetters.retry(id);
        return { object: { retried: [id] }, text: `The job ${id} is due again.` };
      });
    });

  outbox
    .command('discard')
    .description('forget a job; it is never delivered')
    .argument('<id>', ID)
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey outbox discard 019a3f2c7e51…'))
    .action((id: string, flags: Flags) =>
      running.run(flags, async ({ deadLetters }) => {
        await deadLetters.discard(id);
        return { object: { id, discarded: true }, text: `The job ${id} is discarded.` };
      }),
    );
}

function letterTable(items: Letter[], next: string | null): string {
  if (items.length === 0) return 'Nothing.';
  const rows = items.map(({ id, kind, state, attempts, created_at, due_at, last_error }) => {
    return [id, kind, state, String(attempts), minute(created_at), minute(due_at), last_error ?? ''];
  });
  const list = table(['ID', 'KIND', 'STATE', 'TRIES', 'CREATED (UTC)', 'DUE OR DEAD', 'LAST ERROR'], rows);
  return next === null ? list : `${list}\nMore: --cursor ${next}`;
}
