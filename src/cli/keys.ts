/** `latchkey keys …` */
import { type Command, Option } from 'commander';
import { SIGNING_ALGS } from '../oidc/key-states.ts';
import type { KeyEntry } from '../oidc/keys.ts';
import type { SigningAlg } from '../oidc/new-key.ts';
import { example } from './help.ts';
import { minute, table } from './printing.ts';
import type { Flags, Running } from './running.ts';

const EMERGENCY = `
Without --now the next key takes over, which clients have known for a while: nothing breaks.
--now is for a key in wrong hands. Every key of the algorithm is replaced by a new one and leaves the key set. That takes
a few seconds, in which every running instance moves to the new key; interrupted, it has to be run again. Then:
- ID tokens and JWT access tokens that were signed until now stop verifying, wherever the key set is fetched anew. APIs
  that keep it go on taking the old key for up to 15 minutes; restart them, or clear their cache, to be quicker.
- Clients that don't fetch the key set when they meet an unknown key refuse new tokens for as long.
- Sessions, refresh tokens and opaque access tokens are not signed by these keys and stay.
`;

export function addKeyCommands(program: Command, running: Running): void {
  const keys = program.command('keys').description('the keys that sign tokens').helpCommand(false);

  keys
    .command('list')
    .description('list the keys and what each is for')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey keys list'))
    .action((flags: Flags) =>
      running.run(flags, async (services) => {
        const items = (await services.keys.list()).map(entryOf);
        return { object: { items, next: null }, text: keyTable(items) };
      }),
    );

  keys
    .command('rotate')
    .description('let the next key sign; the old one stays published until its last token is over')
    .addOption(new Option('--alg <algorithm>', 'only the key of this algorithm').choices(SIGNING_ALGS))
    .option('--now', 'replace every key now, because one is in wrong hands')
    .option('--yes', "with --now: don't ask")
    .option('--json', 'print JSON')
    .addHelpText('after', EMERGENCY + example('latchkey keys rotate', 'latchkey keys rotate --now --alg RS256'))
    .action(async (flags: Flags & { alg?: SigningAlg; now?: true; yes?: true }) => {
      if (flags.now) {
        running.requireAnswerable(flags.yes);
        const which = flags.alg ?? SIGNING_ALGS.join(', ');
        await running.confirm(flags.yes, `Replace every ${which} key? Tokens that they signed stop verifying.`);
      }
      await running.run(flags, async (services) => {
        const rotated = await services.keys.rotate({ alg: flags.alg, now: flags.now === true });
        const fresh = new Set(rotated.map(({ kid }) => kid));
        const items = (await services.keys.list()).filter(({ kid }) => fresh.has(kid)).map(entryOf);
        const dropped = rotated.flatMap((each) => each.dropped);
        const lines = rotated.map(({ alg, kid }) => `${alg}: ${kid} signs from now on.`);
        if (dropped.length > 0) lines.push(`Gone: ${dropped.join(', ')}.`);
        return { object: { items, dropped }, text: [...lines, 'Running instances follow within a second.'].join('\n') };
      });
    });
}

type Entry = ReturnType<typeof entryOf>;

function entryOf(key: KeyEntry) {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    kid: key.kid,
    alg: key.alg,
    state: key.state,
    published: key.published,
    created_at: time(key.createdAt),
    activated_at: time(key.activatedAt),
    retired_at: time(key.retiredAt),
    ends_at: time(key.endsAt),
  };
}

function keyTable(items: Entry[]): string {
  if (items.length === 0) return 'No keys. The first start makes them.';
  const rows = items.map((key) => [
    key.kid,
    key.alg,
    key.state,
    key.published ? 'yes' : 'no',
    minute(key.created_at),
    minute(key.activated_at),
    minute(key.retired_at),
    minute(key.ends_at),
  ]);
  return table(['ID', 'ALG', 'STATE', 'PUBLISHED', 'MADE (UTC)', 'SIGNS SINCE', 'RETIRED', 'DESTROYED'], rows);
}
