/** `latchkey audit …` */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type AuditEntry, EVENT_TYPES } from '../audit/events.ts';
import { FORMATS, type Format, headingOf, lineOf } from '../audit/formats.ts';
import type { Mark } from '../audit/macs.ts';
import type { Filter } from '../audit/store.ts';
import type { Verdict } from '../audit/verify.ts';
import { AppError } from '../errors.ts';
import { accountOf } from './accounts.ts';
import { collect, pageLength } from './arguments.ts';
import { EXIT } from './exit-code.ts';
import { example } from './help.ts';
import { minute, table } from './printing.ts';
import type { Flags, Running } from './running.ts';
import type { Services } from './services.ts';

interface FilterFlags extends Flags {
  account?: string;
  client?: string;
  type?: string;
  outcome?: string;
  since?: number;
  until?: number;
}

/** `ended` is told the exit code of a check that failed. */
export function addAuditCommands(program: Command, running: Running, ended: (exitCode: number) => void): void {
  const audit = program.command('audit').description('the record of security events').helpCommand(false);

  filtered(audit.command('list').description('list events, newest first'))
    .option('--limit <number>', 'how many, 1 to 200', pageLength, 50)
    .option('--cursor <cursor>', 'go on where the last page ended')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey audit list --account ada@example.com --type sign_in.failed --since 7d'))
    .action((flags: FilterFlags & { limit: number; cursor?: string }) =>
      running.run(flags, async (services) => {
        const page = await services.audit.list(await filterOf(services, flags), flags.limit, flags.cursor);
        return { object: page, text: eventTable(page.items, page.next) };
      }),
    );

  audit
    .command('verify')
    .description('check that no event was changed, moved or removed; exit code 0 or 1')
    .option('--checkpoint <checkpoint>', 'from the log, seq:chain or the signed form; must fit (repeatable)', collect)
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey audit verify --json'))
    .action(async (flags: Flags & { checkpoint?: string[] }) => {
      const given = flags.checkpoint ?? [];
      given.filter((text) => !isSigned(text)).forEach(checkpointOf);
      await running.run(flags, async (services) => {
        const shipped = await Promise.all(given.map((text) => placeOf(services, text)));
        const verdict = await services.audit.verify(shipped);
        if (!verdict.ok) ended(EXIT.failed);
        return { object: verdict, text: verdictWords(verdict) };
      });
    });

  audit
    .command('checkpoints')
    .description('list the signed checkpoints, newest first, and the public key that checks them')
    .option('--limit <number>', 'how many, 1 to 200', pageLength, 50)
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey audit checkpoints --json'))
    .action((flags: Flags & { limit: number }) =>
      running.run(flags, async (services) => {
        const found = await services.audit.checkpoints(flags.limit);
        const rows = found.items.map(({ seq, at, jws }) => [String(seq), minute(at), jws ?? '-']);
        const list = rows.length === 0 ? 'No checkpoints.' : table(['SEQ', 'AT (UTC)', 'SIGNED'], rows);
        return { object: found, text: `Public key: ${JSON.stringify(found.key)}\n${list}` };
      }),
    );

  filtered(audit.command('export').description('print every event, newest first'))
    .addOption(new Option('--format <format>', 'how').choices(FORMATS).default('jsonl'))
    .addHelpText('after', example('latchkey audit export --format csv --since 2026-01-01 > events.csv'))
    .action((flags: FilterFlags & { format: Format }) =>
      running.stream(async (services) => {
        const heading = headingOf(flags.format);
        if (heading !== '') running.options.out(`${heading}\n`);
        for await (const page of await services.audit.entries(await filterOf(services, flags))) {
          const lines = page.map((entry) => `${lineOf(flags.format, entry)}\n`).join('');
          if (lines !== '') running.options.out(lines);
          // A pipe that is read slowly holds the next page back.
          await running.options.flush?.();
        }
      }),
    );
}

function filtered(command: Command): Command {
  return command
    .option('--account <id-or-email>', 'about this account')
    .option('--client <id>', 'about this client')
    .addOption(new Option('--type <type>', 'of this type').choices(EVENT_TYPES))
    .addOption(new Option('--outcome <outcome>', 'with this outcome').choices(['success', 'failure']))
    .option('--since <time>', 'not before: 2026-11-02, 2026-11-02T08:12:44Z, or a span such as 7d', moment)
    .option('--until <time>', 'not after', moment);
}

async function filterOf(services: Services, flags: FilterFlags): Promise<Filter> {
  const { account, client, type, outcome, since, until } = flags;
  // An account that was deleted is still in the record, by its id.
  const id = account?.includes('@') ? (await accountOf(services, account)).id : account;
  return { account: id, client, type, outcome, since, until };
}

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 };

function moment(text: string): number {
  const [, amount, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (amount) return Date.now() - Number(amount) * UNITS[unit as keyof typeof UNITS];
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new InvalidArgumentError('It must be a date, a time (ISO 8601) or a span such as 7d.');
  return time;
}

const isSigned = (text: string) => text.split('.').length === 3;

/** @throws AppError when the signature is not of this service. */
async function placeOf({ audit }: Services, text: string): Promise<Mark> {
  if (!isSigned(text)) return checkpointOf(text);
  const mark = await audit.readCheckpoint(text);
  if (!mark)
    throw new AppError('invalid_request', { message: 'A checkpoint was given that this service did not sign.' });
  return mark;
}

function checkpointOf(text: string): { seq: number; chain: string } {
  const [, seq, chain] = /^(\d{1,15}):([A-Za-z0-9_-]{43})$/.exec(text) ?? [];
  if (!seq || !chain) throw new InvalidArgumentError('A checkpoint looks like 1200:Yk3…, as the log shows it.');
  return { seq: Number(seq), chain };
}

function verdictWords({ fault, checked, from, to, waiting }: Verdict): string {
  if (!fault) return `${checked} events, seq ${from} to ${to}: as they were written. ${waiting} not sealed yet.`;
  const where = fault.seq === null ? `the event ${fault.id}` : `seq ${fault.seq}`;
  return `The audit log is not as it was written: ${fault.reason} at ${where} (after ${checked} events that are right).`;
}

function eventTable(items: AuditEntry[], next: string | null): string {
  if (items.length === 0) return 'No events.';
  const rows = items.map(({ at, type, outcome, account_id, client_id, via, ip, details }) => {
    const more = Object.entries(details).map(([name, value]) => `${name}=${String(value)}`);
    return [minute(at), type, outcome, account_id ?? '-', client_id ?? '-', via, ip ?? '-', more.join(' ')];
  });
  const list = table(['AT (UTC)', 'TYPE', 'OUTCOME', 'ACCOUNT', 'CLIENT', 'VIA', 'ADDRESS', 'DETAILS'], rows);
  return next === null ? list : `${list}\nMore: --cursor ${next}`;
}
