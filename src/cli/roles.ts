/** `latchkey users roles`: which roles an account has, and what gives or takes them. */
import type { Command } from 'commander';
import type { HeldRole } from '../access/roles.ts';
import { OPERATOR } from '../audit/events.ts';
import { accountOf, iso } from './accounts.ts';
import { example } from './help.ts';
import { facts, minute } from './printing.ts';
import type { Flags, Running } from './running.ts';

type Words = Flags & { add?: string[]; remove?: string[] };

export function addRoleCommand(users: Command, running: Running): void {
  users
    .command('roles')
    .description('show the roles of an account, give it some or take some from it')
    .argument('<id-or-email>', 'id or e-mail address of the account')
    .option('--add <role...>', 'roles that it gets; the configuration file declares them')
    .option('--remove <role...>', 'roles that it loses')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey users roles ada@example.com --add admin --remove guest'))
    .action((who: string, { add = [], remove = [], ...flags }: Words) =>
      running.run(flags, async (services) => {
        const { id, email } = await accountOf(services, who);
        const asked = add.length + remove.length > 0;
        const roles = asked
          ? await services.roles.change(id, { add, remove }, OPERATOR)
          : await services.roles.held(id);
        return { object: { id, email, roles: roles.map(roleObject) }, text: roleFacts(roles) };
      }),
    );
}

export function roleObject({ role, since, declared }: HeldRole) {
  return { name: role, since: iso(since), declared };
}

export function roleFacts(roles: HeldRole[]): string {
  const lines = roles.map(({ role, since, declared }) => {
    const counts = declared ? '' : ' (not in the configuration: it counts for nothing)';
    return `${role}, since ${minute(since)} UTC${counts}`;
  });
  return facts([['roles', lines.length === 0 ? 'none' : lines]]);
}
