/** Every operation on every server, in turns: each round gives each server one slice, so that noise meets all alike. */
import { OPERATIONS, type Operation, type Person } from './operations.ts';
import type { Server } from './server.ts';
import { median, prepareLoad, type Slice } from './slice.ts';

export interface Contender {
  server: Server;
  people: Person[];
  /** The others are compared with it. */
  bare?: true;
  /** It has what only Latchkey has, because it is one. */
  all?: boolean;
}

export interface Result {
  operation: string;
  server: string;
  /** Medians over the rounds. */
  slice: Slice;
  /** Against the bare server: medians of the ratios of each round's pair. Above 1 is faster or cheaper. */
  ratio?: { rate: number; cpu: number };
}

export interface MatrixOptions {
  rounds: number;
  seconds: number;
  warmSeconds: number;
  /** A part of an operation's name. */
  only?: string | undefined;
  onResult?: (result: Result) => void;
}

export async function runMatrix(contenders: Contender[], options: MatrixOptions): Promise<Result[]> {
  const results: Result[] = [];
  for (const operation of OPERATIONS) {
    if (options.only && !operation.name.includes(options.only)) continue;
    for (const result of await compare(operation, contenders, options)) {
      results.push(result);
      options.onResult?.(result);
    }
  }
  return results;
}

async function compare(
  operation: Operation,
  all: Contender[],
  { rounds, seconds, warmSeconds }: MatrixOptions,
): Promise<Result[]> {
  const contenders = all.filter((each) => !(each.bare && !each.all && operation.oursOnly));
  const loads = [];
  for (const { server, people } of contenders) loads.push(await prepareLoad(server, operation, people));
  const slices: Slice[][] = contenders.map(() => []);
  // The first slice of each only warms it up.
  for (const load of loads) await load.run(warmSeconds);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, load] of loads.entries()) slices[index]?.push(await load.run(seconds));
  }
  for (const load of loads) load.close();
  const bare = slices[contenders.findIndex((contender) => contender.bare)];
  return contenders.map(({ server, bare: isBare }, index) => {
    const own = slices[index] as Slice[];
    const against = bare && !isBare ? { ratio: pairs(own, bare) } : {};
    return { operation: operation.name, server: server.name, slice: medians(own), ...against };
  });
}

function pairs(ours: Slice[], bare: Slice[]): { rate: number; cpu: number } {
  const each = (of: (our: Slice, bare: Slice) => number) => median(ours.map((our, n) => of(our, bare[n] as Slice)));
  return { rate: each((our, other) => our.rate / other.rate), cpu: each((our, other) => other.cpuUs / our.cpuUs) };
}

function medians(slices: Slice[]): Slice {
  const of = (member: keyof Slice) => median(slices.map((slice) => slice[member]));
  return {
    rate: of('rate'),
    cpuUs: of('cpuUs'),
    p50: of('p50'),
    p99: of('p99'),
    rssMiB: of('rssMiB'),
    steps: of('steps'),
  };
}
