/**
 * `npm run bench`: what one process of each kind does a second, beside the bare protocol core, in the same run.
 *
 *     npm run bench -- [--write] [--rounds N] [--seconds S] [--only NAME] [--narrow | --quick]
 *     npm run bench -- --parts starts,table,mixes     the default: all that takes minutes
 *     npm run bench -- --growth PEOPLE                 that many accounts and sessions against a thousand
 *     npm run bench -- --soak MINUTES                  memory under load
 *     npm run bench -- --against CHECKOUT              another state of this project beside this one
 *     npm run bench -- --profile OPERATION             where its processor time goes (a part of a name; `all`)
 *
 * `--write` puts what was measured into docs/performance.md and keeps the other parts.
 */
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installTools } from '../test/support/tools.ts';
import { startContenders } from './contenders.ts';
import { type Conditions, type Findings, PARTS, type Part, readReport, writeReport } from './findings.ts';
import { measureGrowth } from './growth.ts';
import { describeMachine, fsyncRate, hashesPerSecond, versions } from './machine.ts';
import { type Contender, type Result, runMatrix } from './matrix.ts';
import { measureMixes } from './mixes.ts';
import { OPERATIONS } from './operations.ts';
import { longest, profileOperation, profileTable } from './profile.ts';
import { writeDocument } from './report.ts';
import { soak } from './soak.ts';
import { measureStarts } from './starts.ts';

const { values: options } = parseArgs({
  options: {
    parts: { type: 'string' },
    quick: { type: 'boolean', default: false },
    narrow: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    growth: { type: 'string' },
    soak: { type: 'string' },
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string' },
    profile: { type: 'string' },
    functions: { type: 'string', default: '0' },
    against: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds ?? (options.quick ? 0.3 : 1.5));
const length = { rounds, seconds, warmSeconds: options.quick ? 0.3 : 3 };
const mixSeconds = options.quick ? 3 : 15;
const print = (line: string) => process.stdout.write(`${line}\n`);
const docs = fileURLToPath(new URL('../docs/', import.meta.url));

// What was started ends with us, also when somebody loses patience.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

installTools();
print(`${describeMachine()}; ${versions()}`);
const before = fsyncRate(tmpdir());
print(`${Math.round(before)} fsync/s`);
const found: Partial<Findings> = {};
const parts = chosenParts();
if (options.profile) await profiles(options.profile);
else await measure();

async function measure(): Promise<void> {
  if (parts.includes('starts')) found.starts = { starts: await startTimes() };
  if (parts.includes('table') || parts.includes('mixes') || parts.includes('soak')) await onServers();
  if (parts.includes('growth')) found.growth = await growthTo(Number(options.growth));
  if (options.write) write();
}

/** Growth and soak take long, and only when they are asked for. */
function chosenParts(): Part[] {
  if (options.parts)
    return options.parts.split(',').map((name) => PARTS.find((part) => part === name) ?? unknown(name));
  if (options.growth || options.soak) {
    return [...(options.growth ? ['growth' as const] : []), ...(options.soak ? ['soak' as const] : [])];
  }
  return options.only || options.against ? ['table'] : ['starts', 'table', 'mixes'];
}

function unknown(name: string): never {
  throw new Error(`there is no part ${name}; there are ${PARTS.join(', ')}`);
}

async function startTimes() {
  const starts = await measureStarts(options.quick ? 1 : 3);
  for (const { server, cold, warm, idleMiB } of starts) {
    print(`${server}: ${Math.round(cold)} ms cold, ${Math.round(warm)} ms warm, ${Math.round(idleMiB)} MiB idle`);
  }
  return starts;
}

async function onServers(): Promise<void> {
  const small = options.quick || options.narrow || Boolean(options.against);
  const narrow = small || !parts.includes('table');
  const { against } = options;
  const { contenders, stop } = await startContenders({ narrow, against });
  const { server, people } = contenders.find((each) => each.server.name === 'embedded') as Contender;
  try {
    if (parts.includes('mixes')) {
      const mixes = await measureMixes(server, people, mixSeconds);
      print(JSON.stringify(mixes));
      found.mixes = { seconds: mixSeconds, mixes };
    }
    if (parts.includes('table')) {
      const results = await runMatrix(contenders, { ...length, only: options.only, onResult: show });
      found.table = { rounds, seconds, results, hashRate: options.write ? await hashesPerSecond() : 0 };
    }
    if (parts.includes('soak')) {
      found.soak = { soak: await soak(server, people, Number(options.soak)) };
      print(JSON.stringify(found.soak));
    }
  } finally {
    await stop();
  }
}

/** Main thread, microseconds a step; the longest functions of the last server below. */
async function profiles(name: string): Promise<void> {
  const { contenders, stop } = await startContenders({ narrow: options.narrow, inspected: true });
  try {
    for (const operation of OPERATIONS) {
      if (name !== 'all' && !operation.name.includes(name)) continue;
      const found = await profileOperation(operation, contenders, length);
      print(`\n${operation.name}`);
      for (const [part = '', ...cells] of profileTable(found)) {
        print(part.padEnd(28) + cells.map((cell) => cell.padStart(20)).join(''));
      }
      for (const line of longest(found, Number(options.functions))) print(line);
    }
  } finally {
    await stop();
  }
}

async function growthTo(people: number): Promise<Findings['growth']> {
  const sizes: [number, number] = [1000, people];
  const growth = await measureGrowth(sizes, { ...length, only: options.only });
  for (const { operation, rate, cpu } of growth)
    print(`${operation}, ${people} people: ${rate.toFixed(2)}, ${cpu.toFixed(2)}`);
  return { sizes, growth };
}

function show({ operation, server, slice, ratio }: Result): void {
  const words = [operation.padEnd(28), server.padEnd(18), slice.rate.toFixed(0).padStart(7), '/s'];
  const more = [`${slice.cpuUs.toFixed(0)} µs`, `p50 ${slice.p50.toFixed(2)}`, `p99 ${slice.p99.toFixed(2)}`];
  const against = ratio ? [`rate ${ratio.rate.toFixed(2)}`, `cpu ${ratio.cpu.toFixed(2)}`] : [];
  print([...words, ...more, `${slice.rssMiB.toFixed(0)} MiB`, ...against].join('  '));
}

function write(): void {
  const conditions: Conditions = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    versions: versions(),
    fsyncRates: [before, fsyncRate(tmpdir())],
    command: ['npm run bench --', ...process.argv.slice(2)].join(' '),
  };
  const file = `${docs}performance.json`;
  const report = readReport(file);
  for (const part of PARTS) if (found[part]) Object.assign(report, { [part]: { ...found[part], conditions } });
  writeReport(file, report);
  writeDocument(`${docs}performance.md`, report);
}
