/** `npm run bench`: what one process of each kind does a second, beside the bare protocol core, in the same run. */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { describeMachine, fsyncRate, versions } from './machine.ts';
import { type Contender, type Result, runMatrix } from './matrix.ts';
import { makePeople } from './people.ts';
import { startBare, startLatchkey } from './server.ts';
import { CONNECTIONS } from './slice.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string' },
    profile: { type: 'string' },
    against: { type: 'string' },
    env: { type: 'string', multiple: true, default: [] },
  },
});
const seconds = Number(options.seconds ?? (options.quick ? 0.35 : 1.5));
const contenders: Contender[] = [];
const print = (line: string) => process.stdout.write(`${line}\n`);

try {
  print(`${describeMachine()}; ${versions()}`);
  print(`${Math.round(fsyncRate(tmpdir()))} fsync/s`);
  contenders.push({ server: await startBare(), people: [{ email: '', password: '' }], bare: true });
  const embedded = await startLatchkey({ name: 'embedded', flags: profiling(options.profile) });
  contenders.push({ server: embedded, people: await makePeople(embedded, {}, CONNECTIONS) });
  if (options.against || options.env.length > 0) {
    const env = Object.fromEntries(options.env.map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
    const other = await startLatchkey({
      name: 'other',
      env,
      ...(options.against ? { checkout: options.against } : {}),
    });
    contenders.push({ server: other, people: await makePeople(other, {}, CONNECTIONS) });
  }
  await runMatrix(contenders, {
    rounds: Number(options.rounds),
    seconds,
    warmSeconds: options.quick ? 0.3 : 3,
    only: options.only,
    onResult: show,
  });
} finally {
  for (const { server } of contenders) await server.stop();
}

function show({ operation, server, slice, ratio }: Result): void {
  const words = [operation.padEnd(28), server.padEnd(18), slice.rate.toFixed(0).padStart(7), '/s'];
  const more = [`${slice.cpuUs.toFixed(0)} µs`, `p50 ${slice.p50.toFixed(2)}`, `p99 ${slice.p99.toFixed(2)}`];
  const against = ratio ? [`rate ${ratio.rate.toFixed(2)}`, `cpu ${ratio.cpu.toFixed(2)}`] : [];
  print([...words, ...more, `${slice.rssMiB.toFixed(0)} MiB`, ...against].join('  '));
}

/** Node writes the profile into the folder when the server ends. */
function profiling(folder: string | undefined): string[] {
  return folder ? ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${folder}`] : [];
}
