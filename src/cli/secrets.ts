/** `latchkey secrets …` */
import type { Command } from 'commander';
import type { SecretKeyStatus } from '../keyring/secrets.ts';
import { example } from './help.ts';
import { table } from './printing.ts';
import type { Flags, Running } from './running.ts';

export function addSecretCommands(program: Command, running: Running): void {
  const secrets = program
    .command('secrets')
    .description('the keys of LATCHKEY_SECRET_KEY, by which the database is encrypted')
    .helpCommand(false);

  secrets
    .command('status')
    .description('say how many data keys each secret key protects')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey secrets status'))
    .action((flags: Flags) =>
      running.run(flags, async (services) => {
        const status = await services.secrets.status();
        return { object: { items: status.map(entryOf), next: null }, text: statusText(status) };
      }),
    );

  secrets
    .command('rotate')
    .description('protect every data key by the first secret key; may be repeated, and broken off at any moment')
    .option('--json', 'print JSON')
    .addHelpText('after', example('LATCHKEY_SECRET_KEY="$NEW,$OLD" latchkey secrets rotate'))
    .action((flags: Flags) =>
      running.run(flags, async (services) => {
        const { key, rewrapped, unchanged } = await services.secrets.rotate();
        const text =
          rewrapped === 0
            ? `Nothing to do: ${key} protects all ${unchanged} data keys.`
            : `${key} protects all ${rewrapped + unchanged} data keys now. Once every instance runs with it, the others can leave LATCHKEY_SECRET_KEY.`;
        return { object: { id: key, rewrapped, unchanged }, text };
      }),
    );
}

function entryOf({ id, dataKeys, configured, first }: SecretKeyStatus) {
  return { id, data_keys: dataKeys, configured, first };
}

function statusText(status: SecretKeyStatus[]): string {
  const rows = status.map(({ id, dataKeys, ...key }) => [id, String(dataKeys), purposeOf({ dataKeys, ...key })]);
  return table(['ID', 'DATA KEYS', 'IN LATCHKEY_SECRET_KEY'], rows);
}

function purposeOf({ dataKeys, configured, first }: Omit<SecretKeyStatus, 'id'>): string {
  if (!configured) return 'missing: nothing starts without it';
  if (first) return 'first: protects what is written';
  return dataKeys > 0 ? 'still needed' : 'not needed any more';
}
