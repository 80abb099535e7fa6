/** `latchkey sessions …` */
import type { Command } from 'commander';
import { OPERATOR } from '../audit/events.ts';
import type { SessionEntry } from '../sessions/sessions.ts';
import { accountOf } from './accounts.ts';
import { UsageFault } from './failure.ts';
import { example } from './help.ts';
import { minute, table } from './printing.ts';
import type { Flags, Running } from './running.ts';

const WHO = 'id or e-mail address of the account';

export function addSessionCommands(program: Command, running: Running): void {
  const sessions = program.command('sessions').description('where people are signed in').helpCommand(false);

  sessions
    .command('list')
    .description("list an account's sessions")
    .argument('<id-or-email>', WHO)
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey sessions list ada@example.com'))
    .action((who: string, flags: Flags) =>
      running.run(flags, async (services) => {
        const items = await services.sessions.list((await accountOf(services, who)).id);
        return { object: { items, next: null }, text: sessionTable(items) };
      }),
    );

  sessions
    .command('revoke')
    .description('end a session, or all of an account; the apps signed in from it are signed out too')
    .argument('<id-or-email>', WHO)
    .argument('[session]', 'id of the session')
    .option('--all', 'every session of the account')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey sessions revoke ada@example.com --all'))
    .action((who: string, id: string | undefined, flags: Flags & { all?: true }) => {
      if ((id === undefined) === (flags.all === undefined)) {
        throw new UsageFault('Say which session to end: its id (`latchkey sessions list` shows them), or --all.');
      }
      return running.run(flags, async (services) => {
        const account = await accountOf(services, who);
        if (id !== undefined) {
          await services.sessions.revoke(account.id, id, OPERATOR);
          return { object: { ended: [id] }, text: `The session ${id} of ${account.email} is ended.` };
        }
        const ended = (await services.sessions.list(account.id)).map((session) => session.id);
        await services.sessions.revokeAll(account.id, {}, OPERATOR);
        return { object: { ended }, text: `Ended ${ended.length} of ${account.email}; nothing is signed in any more.` };
      });
    });
}

function sessionTable(items: SessionEntry[]): string {
  if (items.length === 0) return 'No sessions.';
  const rows = items.map(({ id, kind, device, ip, created_at, last_seen_at, apps }) => {
    const names = apps.map((app) => app.name).join(', ');
    return [id, kind, device.name, ip ?? '-', minute(created_at), minute(last_seen_at), names];
  });
  return table(['ID', 'KIND', 'DEVICE', 'ADDRESS', 'SINCE (UTC)', 'LAST SEEN', 'APPS'], rows);
}
