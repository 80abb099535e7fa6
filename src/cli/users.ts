/** `latchkey users …` */
import { type Command, Option } from 'commander';
import type { Account } from '../accounts/store.ts';
import { OPERATOR } from '../audit/events.ts';
import { accountFacts, accountObject, accountOf, factorFacts, factorObject, recoveryObject } from './accounts.ts';
import { notBlank, pageLength } from './arguments.ts';
import { addFactorReset } from './factors.ts';
import { UsageFault } from './failure.ts';
import { example } from './help.ts';
import { minute, table } from './printing.ts';
import { addRoleCommand, roleFacts, roleObject } from './roles.ts';
import type { Answer, Flags, Running } from './running.ts';

const WHO = 'id or e-mail address of the account';

export function addUserCommands(program: Command, running: Running): void {
  const users = program.command('users').description('people').helpCommand(false);

  users
    .command('create')
    .description('make an account')
    .requiredOption('--email <address>', 'the e-mail address')
    .requiredOption('--name <name>', 'the name', notBlank)
    .option(
      '--password-stdin',
      'read the password from the standard input; without it, the person sets one by "forgot password"',
    )
    .option('--verified', 'take the address as verified')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey users create --email ada@example.com --name "Ada Lovelace" --verified'))
    .action(async (flags: Flags & { email: string; name: string; passwordStdin?: true; verified?: true }) => {
      const password = flags.passwordStdin ? await passwordFrom(running) : undefined;
      await running.run(flags, async ({ accounts, issuer }) => {
        const { email, name, verified = false } = flags;
        const account = await accounts.create({ email, name, password, verified }, OPERATOR);
        const hint = `No password yet: the person sets one by "forgot password" at ${issuer}/account.`;
        return shown(account, 'The account is made.', password === undefined ? hint : undefined);
      });
    });

  users
    .command('invite')
    .description('send an invitation, whose link sets name and password')
    .requiredOption('--email <address>', 'where to send it')
    .option('--name <name>', 'fill in this name', notBlank)
    .addOption(new Option('--locale <language>', 'language of the mail').choices(['en', 'fr']).default('en'))
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey users invite --email ada@example.com --locale fr'))
    .action((flags: Flags & { email: string; name?: string; locale: string }) =>
      running.run(flags, async ({ invitations }) => {
        const { email, name = null, locale } = flags;
        const invitation = await invitations.invite({ email, name, locale, inviter: null, by: OPERATOR });
        const text = `The running instance mails this link to ${invitation.email} within seconds:\n${invitation.link}`;
        return { object: invitation, text };
      }),
    );

  users
    .command('list')
    .description('list accounts, oldest first')
    .option('--limit <number>', 'how many, 1 to 200', pageLength, 50)
    .option('--cursor <cursor>', 'go on where the last page ended')
    .option('--search <start>', 'only addresses that begin so')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey users list --search ada'))
    .action((flags: Flags & { limit: number; cursor?: string; search?: string }) =>
      running.run(flags, async ({ accounts, roles }) => {
        const { limit, cursor, search } = flags;
        const found = await accounts.list({ limit: limit + 1, cursor, search });
        const page = found.slice(0, limit);
        const next = found.length > limit ? (page.at(-1)?.id ?? null) : null;
        const held = await roles.ofEach(page.map(({ id }) => id));
        const items = page.map((account) => ({ ...accountObject(account), roles: held.get(account.id) ?? [] }));
        return { object: { items, next }, text: accountTable(page, held, next) };
      }),
    );

  users
    .command('show')
    .description('show an account')
    .argument('<id-or-email>', WHO)
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey users show ada@example.com'))
    .action((who: string, flags: Flags) =>
      running.run(flags, async (services) => {
        const account = await accountOf(services, who);
        const factors = await services.factors.of(account.id);
        const recovery = await services.factorRecovery.open(account.id);
        const roles = await services.roles.held(account.id);
        const held = { factors: factors.map(factorObject), roles: roles.map(roleObject) };
        const more = { ...held, factor_recovery: recoveryObject(recovery) };
        const text = `${accountFacts(account)}\n${factorFacts(factors, recovery)}\n${roleFacts(roles)}`;
        return { object: { ...accountObject(account), ...more }, text };
      }),
    );

  const changes = [
    ['verify', 'take the address as verified', 'The address is verified.'],
    [
      'disable',
      'end every session and refuse the account everywhere',
      'The account is disabled and signed out everywhere.',
    ],
    ['enable', 'let a disabled account in again', 'The account is enabled.'],
  ] as const;
  for (const [verb, description, done] of changes) {
    users
      .command(verb)
      .description(description)
      .argument('<id-or-email>', WHO)
      .option('--json', 'print JSON')
      .addHelpText('after', example(`latchkey users ${verb} ada@example.com`))
      .action((who: string, flags: Flags) =>
        running.run(flags, async (services) => {
          const { id } = await accountOf(services, who);
          return shown(await services.accounts[verb](id, OPERATOR), done);
        }),
      );
  }

  addFactorReset(users, running);
  addRoleCommand(users, running);

  users
    .command('restore')
    .description('keep an account that its person has deleted, as long as it is not gone')
    .argument('<id-or-email>', WHO)
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey users restore ada@example.com'))
    .action((who: string, flags: Flags) =>
      running.run(flags, async (services) => {
        const { id } = await accountOf(services, who);
        return shown(await services.deletion.restore(id, OPERATOR), 'The account stays; its person can sign in again.');
      }),
    );

  users
    .command('delete')
    .description('delete an account and everything it holds, at once')
    .argument('<id-or-email>', WHO)
    .option('--yes', "don't ask")
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey users delete ada@example.com --yes'))
    .action((who: string, flags: Flags & { yes?: true }) => {
      running.requireAnswerable(flags.yes);
      return running.run(flags, async (services) => {
        const account = await accountOf(services, who);
        await running.confirm(flags.yes, `Delete ${account.email} and everything the account holds?`);
        await services.deletion.remove(account.id, OPERATOR);
        return { object: { id: account.id, deleted: true }, text: `The account ${account.email} is deleted.` };
      });
    });
}

function shown(account: Account, done?: string, hint?: string): Answer {
  const text = [done, accountFacts(account), hint].filter((part) => part !== undefined).join('\n');
  return { object: accountObject(account), text };
}

function accountTable(page: Account[], roles: Map<string, string[]>, next: string | null): string {
  if (page.length === 0) return 'No accounts.';
  // A column more only where somebody has one.
  const withRoles = [...roles.values()].some((each) => each.length > 0);
  const rows = page.map(({ id, email, emailVerifiedAt, profile, status, createdAt }) => {
    const facts = [id, email, emailVerifiedAt === null ? 'no' : 'yes', profile.name ?? '', status, minute(createdAt)];
    return withRoles ? [...facts, (roles.get(id) ?? []).join(' ')] : facts;
  });
  const headings = ['ID', 'EMAIL', 'VERIFIED', 'NAME', 'STATUS', 'CREATED (UTC)', ...(withRoles ? ['ROLES'] : [])];
  const list = table(headings, rows);
  return next === null ? list : `${list}\nMore: --cursor ${next}`;
}

/** One line break at the end is the shell's, not the password's. @throws UsageFault when nothing comes. */
async function passwordFrom({ options }: Running): Promise<string> {
  const typed = options.askSecret ? await options.askSecret('Password: ') : await options.readInput();
  const password = typed.replace(/\r?\n$/, '');
  if (password !== '') return password;
  throw new UsageFault(
    'No password came from the standard input. Write it there: `printf %s "$PASSWORD" | latchkey users create …`.',
  );
}
