/** `latchkey clients create` and `update`. */
import { type Command, Option } from 'commander';
import { assignment, collect, notBlank } from './arguments.ts';
import { presetBlock } from './blocks.ts';
import { changeableClientOf, clientFacts, clientObject, clientOf, registeredFacts } from './client-objects.ts';
import { UsageFault } from './failure.ts';
import { example } from './help.ts';
import { checkMetadata, inSeconds } from './metadata.ts';
import { PRESETS, type Preset, presetMetadata, redirects } from './presets.ts';
import type { Flags, Running } from './running.ts';

interface CreateFlags extends Flags {
  preset?: Preset;
  redirectUri?: string[];
  name?: string;
  id?: string;
  set?: Array<[string, unknown]>;
  thirdParty?: true;
}

interface UpdateFlags extends Flags {
  set?: Array<[string, unknown]>;
  unset?: string[];
  redirectUri?: string[];
  name?: string;
  enable?: true;
  disable?: true;
}

/** Members that have an option or a command of their own. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  client_id: 'The id is chosen once, by `clients create --id`.',
  client_secret: 'Secrets are made here, never given: `clients create` and `clients rotate-secret` print one.',
  enabled: 'Use `clients update ID --enable` or `--disable`.',
};

const SET = 'set a member of RFC 7591 or of ours; JSON where it is JSON, else text (may be repeated)';

export function addClientWriting(clients: Command, running: Running): void {
  clients
    .command('create')
    .description('make a client, and print what to paste into the application')
    .addOption(new Option('--preset <kind>', 'start from a kind of application').choices(PRESETS))
    .option('--redirect-uri <uri>', 'where people are sent back to (may be repeated)', collect)
    .option('--name <name>', 'the name that people see', notBlank)
    .option('--id <id>', 'the client id; a random one otherwise', notBlank)
    .option('--set <key=value>', SET, assignment)
    .option('--third-party', "somebody else's application: people are asked for consent")
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      example(
        'latchkey clients create --preset nextjs --name "My app" \\',
        '  --redirect-uri https://app.example.com/api/auth/callback/latchkey',
        'latchkey clients create --preset nextjs --set require_pkce=false --set logo_uri=https://app.example.com/logo.png',
      ),
    )
    .action((flags: CreateFlags) => {
      const metadata = newMetadata(flags);
      checkMetadata(metadata);
      return running.run(flags, async ({ clients, issuer }) => {
        const made = await clients.create({ metadata: inSeconds(metadata), source: 'cli' });
        const parts = [`The client is made.\n${registeredFacts(made)}`];
        if (flags.preset) {
          const redirectUris = (made['redirect_uris'] as string[] | undefined) ?? [];
          const { client_id: clientId, client_secret: clientSecret } = made;
          parts.push(presetBlock(flags.preset, { issuer, clientId, clientSecret, redirectUris }));
        }
        return { object: made, text: parts.join('\n\n') };
      });
    });

  clients
    .command('update')
    .description('change a client')
    .argument('<id>', 'client id')
    .option('--set <key=value>', SET, assignment)
    .option('--unset <key>', 'take a member back to its default (may be repeated)', collect)
    .option('--redirect-uri <uri>', 'the new list of redirect URIs (repeat it for each)', collect)
    .option('--name <name>', 'the name that people see', notBlank)
    .addOption(new Option('--enable', 'let it work again').conflicts('disable'))
    .option('--disable', 'refuse it everywhere, without forgetting it')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      example('latchkey clients update shop --set id_token_signed_response_alg=ES256 --unset logo_uri'),
    )
    .action((id: string, flags: UpdateFlags) => {
      const changes = changesOf(flags);
      const enabled = flags.enable ?? (flags.disable ? false : undefined);
      if (Object.keys(changes).length === 0 && enabled === undefined) {
        throw new UsageFault('Say what to change: --set, --unset, --redirect-uri, --name, --enable or --disable.');
      }
      return running.run(flags, async (services) => {
        const before = await changeableClientOf(services, id);
        const present = Object.entries({ ...before.metadata, ...changes, client_secret: undefined });
        checkMetadata(Object.fromEntries(present.filter(([, value]) => value !== undefined)));
        await services.clients.update(id, inSeconds(changes), enabled);
        const after = await clientOf(services, id);
        const secretIsNew = before.metadata.client_secret === undefined && after.metadata.client_secret !== undefined;
        const hint = secretIsNew ? `\nIt has a secret now: \`latchkey clients rotate-secret ${id}\` shows one.` : '';
        return { object: clientObject(after), text: `The client is changed.\n${clientFacts(after)}${hint}` };
      });
    });
}

function newMetadata({ preset, redirectUri, name, id, set, thirdParty }: CreateFlags): Record<string, unknown> {
  if (preset && !redirects(preset) && redirectUri) {
    throw new UsageFault(`A client of the preset ${preset} has no redirect. Leave --redirect-uri out.`);
  }
  const given = { ...(name ? { name } : {}), ...(redirectUri ? { redirectUris: redirectUri } : {}) };
  const start = preset
    ? presetMetadata(preset, given)
    : { ...(name ? { client_name: name } : {}), ...(redirectUri ? { redirect_uris: redirectUri } : {}) };
  const metadata = { ...start, ...membersOf(set), first_party: !thirdParty, ...(id ? { client_id: id } : {}) };
  if (!preset && !('redirect_uris' in metadata) && !('grant_types' in metadata)) {
    throw new UsageFault(
      `Say which kind of application it is (--preset ${PRESETS.join('|')}) or where it lives (--redirect-uri).`,
    );
  }
  return metadata;
}

function changesOf({ set, unset = [], redirectUri, name }: UpdateFlags): Record<string, unknown> {
  for (const member of unset) refuseElsewhere(member);
  return {
    ...Object.fromEntries(unset.map((member) => [member, undefined])),
    ...membersOf(set),
    ...(redirectUri ? { redirect_uris: redirectUri } : {}),
    ...(name ? { client_name: name } : {}),
  };
}

function membersOf(set: Array<[string, unknown]> = []): Record<string, unknown> {
  for (const [member] of set) refuseElsewhere(member);
  return Object.fromEntries(set);
}

function refuseElsewhere(member: string): void {
  const where = Object.hasOwn(ELSEWHERE, member) ? ELSEWHERE[member] : undefined;
  if (where) throw new UsageFault(where);
}
