/** How a command runs: opens the services, asks before what can't be undone, prints the answer once, closes. */
import { SchemaFault } from '../db/migrate.ts';
import { Declined, UsageFault } from './failure.ts';
import { json, safe, safeLines } from './printing.ts';
import type { ProgramOptions, Services } from './services.ts';

/** What a command says: the object of the API for `--json`, and lines for a person. */
export interface Answer {
  object: unknown;
  text: string;
}

export interface Flags {
  json?: true;
}

export function createRunning(options: ProgramOptions) {
  function print(answer: Answer, flags: Flags): void {
    options.out(`${flags.json ? json(answer.object) : safeLines(answer.text)}\n`);
  }

  async function opened<Result>(work: (services: Services) => Promise<Result>): Promise<Result> {
    const services = await options.open();
    try {
      return await work(services);
    } finally {
      await services.close();
    }
  }

  return {
    options,
    print,
    opened,

    /** Runs on a database of the newest schema and prints what comes out.
     * @throws SchemaFault in production, where only `migrate` changes the schema. */
    async run(flags: Flags, work: (services: Services) => Promise<Answer>): Promise<void> {
      const answer = await opened(async (services) => {
        await current(services);
        return work(services);
      });
      print(answer, flags);
    },

    /** For a command that prints by itself, on a database of the newest schema. */
    stream: (work: (services: Services) => Promise<void>): Promise<void> =>
      opened(async (services) => {
        await current(services);
        await work(services);
      }),

    /** First half of a confirmation, before anything is opened. @throws UsageFault when nobody can be asked. */
    requireAnswerable(yes: boolean | undefined): void {
      if (yes || options.ask) return;
      throw new UsageFault("This can't be undone, and there is no terminal to ask on. Add --yes to do it.");
    },

    /** Second half. @throws Declined unless the person says yes. */
    async confirm(yes: boolean | undefined, question: string): Promise<void> {
      if (yes) return;
      const answer = (await options.ask?.(`${safe(question)} [y/N] `)) ?? '';
      if (!/^y(es)?$/i.test(answer.trim())) throw new Declined('Nothing was changed.');
    },
  };
}

export type Running = ReturnType<typeof createRunning>;

async function current(services: Services): Promise<void> {
  const pending = await services.pending();
  if (pending.length === 0) return;
  if (!services.development) {
    throw new SchemaFault(`The database lacks the migrations ${pending.join(', ')}. Run \`latchkey migrate\` first.`);
  }
  await services.migrate();
}
