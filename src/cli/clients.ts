/** `latchkey clients …`: the commands that read, end or renew. Making and changing are in clients-write.ts. */
import type { Command } from 'commander';
import type { StoredClient } from '../oidc/client-store.ts';
import { pageLength } from './arguments.ts';
import { changeableClientOf, clientFacts, clientObject, clientOf, registeredFacts } from './client-objects.ts';
import { addClientWriting } from './clients-write.ts';
import { example } from './help.ts';
import { table } from './printing.ts';
import type { Flags, Running } from './running.ts';

export function addClientCommands(program: Command, running: Running): void {
  const clients = program.command('clients').description('applications that may sign people in').helpCommand(false);
  addClientWriting(clients, running);

  clients
    .command('list')
    .description('list clients by id')
    .option('--limit <number>', 'how many, 1 to 200', pageLength, 50)
    .option('--cursor <cursor>', 'go on where the last page ended')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey clients list --json'))
    .action((flags: Flags & { limit: number; cursor?: string }) =>
      running.run(flags, async (services) => {
        const found = await services.clients.list(flags.limit + 1, flags.cursor);
        const page = found.slice(0, flags.limit);
        const next = found.length > flags.limit ? (page.at(-1)?.metadata.client_id ?? null) : null;
        return { object: { items: page.map(clientObject), next }, text: clientTable(page, next) };
      }),
    );

  clients
    .command('show')
    .description('show a client, without its secret')
    .argument('<id>', 'client id')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey clients show shop'))
    .action((id: string, flags: Flags) =>
      running.run(flags, async (services) => {
        const client = await clientOf(services, id);
        return { object: clientObject(client), text: clientFacts(client) };
      }),
    );

  clients
    .command('remove')
    .description('forget a client; its tokens end')
    .argument('<id>', 'client id')
    .option('--yes', "don't ask")
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey clients remove shop --yes'))
    .action((id: string, flags: Flags & { yes?: true }) => {
      running.requireAnswerable(flags.yes);
      return running.run(flags, async (services) => {
        const { name } = await changeableClientOf(services, id);
        await running.confirm(flags.yes, `Remove the client ${id} (${name})? Nobody can sign in to it any more.`);
        await services.clients.remove(id);
        return { object: { client_id: id, removed: true }, text: `The client ${id} is removed.` };
      });
    });

  clients
    .command('rotate-secret')
    .description('make a new secret; the old one stops working within a second')
    .argument('<id>', 'client id')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey clients rotate-secret shop'))
    .action((id: string, flags: Flags) =>
      running.run(flags, async (services) => {
        await changeableClientOf(services, id);
        const metadata = await services.clients.rotateSecret(id);
        return { object: metadata, text: `The client has a new secret.\n${registeredFacts(metadata)}` };
      }),
    );
}

function clientTable(page: StoredClient[], next: string | null): string {
  if (page.length === 0) return 'No clients.';
  const rows = page.map(({ metadata, name, source, enabled }) => {
    const [first = '-', ...more] = (metadata['redirect_uris'] as string[] | undefined) ?? [];
    const uris = more.length > 0 ? `${first} and ${more.length} more` : first;
    return [metadata.client_id, name, enabled ? 'yes' : 'no', source, uris];
  });
  const list = table(['ID', 'NAME', 'ENABLED', 'SOURCE', 'REDIRECT URI'], rows);
  return next === null ? list : `${list}\nMore: --cursor ${next}`;
}
