/** `latchkey addresses …` */
import type { Command } from 'commander';
import { OPERATOR } from '../audit/events.ts';
import type { AddressRule, Verdict } from '../limits/address-rules.ts';
import { span } from './arguments.ts';
import { example } from './help.ts';
import { minute, table } from './printing.ts';
import type { Flags, Running } from './running.ts';

const WHAT = 'an address, or a network such as 192.0.2.0/24';
const VERBS: Record<Verdict, { description: string; done: string; example: string }> = {
  block: {
    description: 'turn an address or a network away everywhere, with 403',
    done: 'is blocked',
    example: 'latchkey addresses block 192.0.2.0/24 --reason "guesses passwords" --for 7d',
  },
  allow: {
    description: 'take an address or a network out of the limits by address; guesses at an account count on',
    done: 'is allowed',
    example: 'latchkey addresses allow 198.51.100.7 --reason "our office"',
  },
};

export function addAddressCommands(program: Command, running: Running): void {
  const addresses = program
    .command('addresses')
    .description('addresses and networks that are blocked, or not limited')
    .helpCommand(false);

  for (const verdict of ['block', 'allow'] as const) {
    addresses
      .command(verdict)
      .description(VERBS[verdict].description)
      .argument('<network>', WHAT)
      .option('--reason <words>', 'why, for whoever reads the list', '')
      .option('--for <span>', 'end it by itself, for example 12h or 7d', span)
      .option('--json', 'print JSON')
      .addHelpText('after', example(VERBS[verdict].example))
      .action((network: string, flags: Flags & { reason: string; for?: number }) =>
        running.run(flags, async (services) => {
          const expiresAt = flags.for === undefined ? null : Date.now() + flags.for;
          const rule = await services.addresses.put({ network, verdict, reason: flags.reason, expiresAt }, OPERATOR);
          const until = rule.expires_at === null ? '' : ` until ${minute(rule.expires_at)} UTC`;
          const text = `${rule.network} ${VERBS[verdict].done}${until}. Running instances follow within a second.`;
          return { object: rule, text };
        }),
      );
  }

  addresses
    .command('list')
    .description('list the rules, oldest first; of several that fit the smallest network decides')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey addresses list'))
    .action((flags: Flags) =>
      running.run(flags, async (services) => {
        const items = await services.addresses.list();
        return { object: { items, next: null }, text: ruleTable(items) };
      }),
    );

  addresses
    .command('remove')
    .description('remove a rule')
    .argument('<network>', 'as the list shows it')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey addresses remove 192.0.2.0/24'))
    .action((network: string, flags: Flags) =>
      running.run(flags, async (services) => {
        const removed = await services.addresses.remove(network, OPERATOR);
        return { object: { network: removed, removed: true }, text: `There is no rule for ${removed} any more.` };
      }),
    );
}

function ruleTable(items: AddressRule[]): string {
  if (items.length === 0) return 'No rules.';
  const rows = items.map(({ network, verdict, reason, created_at, expires_at }) => {
    return [network, verdict, minute(created_at), expires_at === null ? '-' : minute(expires_at), reason];
  });
  return table(['NETWORK', 'RULE', 'SINCE (UTC)', 'UNTIL', 'REASON'], rows);
}
