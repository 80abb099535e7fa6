/** `latchkey users reset-factors`: the way back in for who lost every factor, by the people who run the service. */
import { type Command, Option } from 'commander';
import { OPERATOR } from '../audit/events.ts';
import { accountOf } from './accounts.ts';
import { example } from './help.ts';
import type { Flags, Running } from './running.ts';

type Kind = 'passkey' | 'totp' | 'recovery';

export function addFactorReset(users: Command, running: Running): void {
  users
    .command('reset-factors')
    .description('remove the second factors of an account, sign it out everywhere and tell the person')
    .argument('<id-or-email>', 'id or e-mail address of the account')
    .addOption(new Option('--kind <kind>', 'only this kind').choices(['passkey', 'totp', 'recovery']))
    .option('--yes', "don't ask")
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey users reset-factors ada@example.com --kind totp'))
    .action((who: string, flags: Flags & { kind?: Kind; yes?: true }) => {
      running.requireAnswerable(flags.yes);
      return running.run(flags, async (services) => {
        const { id, email } = await accountOf(services, who);
        const what = flags.kind ? `factors of the kind ${flags.kind}` : 'second factors and recovery codes';
        await running.confirm(flags.yes, `Remove the ${what} of ${email}, and sign the account out everywhere?`);
        const removed = await services.factors.reset(id, flags.kind, OPERATOR);
        const done = `The ${what} of ${email} are removed. The running instance mails the person.`;
        return { object: { id, removed }, text: removed === null ? `${email} has no ${what}.` : done };
      });
    });
}
