/**
 * `npm run bench`: what one process of each kind does a second, beside the bare protocol core, in the same run.
 *
 *     npm run bench -- [--quick] [--only NAME] [--write] [--growth PEOPLE | --full] [--rounds N] [--seconds S]
 *     npm run bench -- --against CHECKOUT    another state of this project beside this one
 *     npm run bench -- --profile FOLDER      a CPU profile of the embedded default
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { hash } from 'argon2';
import { startContenders } from './contenders.ts';
import { measureGrowth } from './growth.ts';
import { describeMachine, fsyncRate, versions } from './machine.ts';
import { type Result, runMatrix } from './matrix.ts';
import { markdown } from './report.ts';
import { measureStarts } from './starts.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    growth: { type: 'string' },
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string' },
    profile: { type: 'string' },
    against: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds ?? (options.quick ? 0.3 : 1.5));
const length = { rounds, seconds, warmSeconds: options.quick ? 0.3 : 3 };
const crowd = options.full ? 1_000_000 : Number(options.growth ?? 0);
const narrow = options.quick || options.profile !== undefined || options.against !== undefined;
const print = (line: string) => process.stdout.write(`${line}\n`);

// What was started ends with us, also when somebody loses patience.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

print(`${describeMachine()}; ${versions()}`);
const before = fsyncRate(tmpdir());
print(`${Math.round(before)} fsync/s`);
const starts = narrow || options.only ? [] : await measureStarts();
for (const { server, cold, warm, idleMiB } of starts) {
  print(`${server}: ${Math.round(cold)} ms cold, ${Math.round(warm)} ms warm, ${Math.round(idleMiB)} MiB idle`);
}
const { contenders, stop } = await startContenders({ narrow, profile: options.profile, against: options.against });
let results: Result[];
try {
  results = await runMatrix(contenders, { ...length, only: options.only, onResult: show });
} finally {
  await stop();
}
const growth = crowd > 0 ? await measureGrowth([1000, crowd], length) : [];
for (const { operation, rate, cpu } of growth)
  print(`${operation}, ${crowd} people: ${rate.toFixed(2)}, ${cpu.toFixed(2)}`);
if (options.write) await write();

function show({ operation, server, slice, ratio }: Result): void {
  const words = [operation.padEnd(28), server.padEnd(18), slice.rate.toFixed(0).padStart(7), '/s'];
  const more = [`${slice.cpuUs.toFixed(0)} µs`, `p50 ${slice.p50.toFixed(2)}`, `p99 ${slice.p99.toFixed(2)}`];
  const against = ratio ? [`rate ${ratio.rate.toFixed(2)}`, `cpu ${ratio.cpu.toFixed(2)}`] : [];
  print([...words, ...more, `${slice.rssMiB.toFixed(0)} MiB`, ...against].join('  '));
}

async function write(): Promise<void> {
  const fsyncRates: [number, number] = [before, fsyncRate(tmpdir())];
  const date = new Date().toISOString().slice(0, 10);
  const hashRate = await hashesPerSecond();
  const docs = fileURLToPath(new URL('../docs/', import.meta.url));
  mkdirSync(docs, { recursive: true });
  writeFileSync(
    `${docs}performance.md`,
    markdown({ date, rounds, seconds, fsyncRates, starts, results, hashRate, growth }),
  );
}

/** As many at a time as there are cores, with the cost that an installation has by default. */
async function hashesPerSecond(): Promise<number> {
  const begun = performance.now();
  let count = 0;
  const worker = async () => {
    while (performance.now() - begun < 3000) {
      await hash('four quiet herons waiting', { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return (count * 1000) / (performance.now() - begun);
}
