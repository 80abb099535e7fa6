/** The results as Markdown, for docs/performance.md. */
import type { Report } from './findings.ts';
import type { Growth } from './growth.ts';
import { describeMachine, versions } from './machine.ts';
import { targets } from './targets.ts';

const whole = (value: number) => Math.round(value).toLocaleString('en-GB');
const tenth = (value: number) => (value < 100 ? value.toFixed(1) : whole(value));

export function markdown(report: Report): string {
  const { starts, results, fsyncRates, growth = [] } = report;
  return [
    '# Performance',
    '',
    'Written by `npm run bench -- --write`; do not edit by hand.',
    '',
    `- ${report.date}, to be repeated with \`npm run bench\` (\`-- --quick\` takes a minute).`,
    `- ${describeMachine()}. The load generator runs on the same cores.`,
    `- ${versions()}.`,
    `- The disk: ${whole(fsyncRates[0])} fsync/s before the run, ${whole(fsyncRates[1])} after it.`,
    `- ${report.rounds} rounds of ${report.seconds} s over 16 connections; in each round every server has its turn, and a`,
    '  figure is the median over the rounds. “Of bare” compares the two servers of the same round: requests a second',
    '  against requests a second, and processor time of bare against ours. 1.00 is as good as the bare protocol core.',
    '- “bare” is oidc-provider on its own koa with a Map as its storage: nothing survives it, nothing is recorded.',
    '  Everything of Latchkey is on as by default: audit, limits, log, sealing, hashed identifiers, `synchronous=FULL`.',
    '',
    ...table(
      ['operation', 'server', 'requests/s', 'CPU µs', 'p50 ms', 'p99 ms', 'MiB', 'rate of bare', 'CPU of bare'],
      results.map(({ operation, server, slice, ratio }) => [
        operation,
        server,
        whole(slice.rate),
        whole(slice.cpuUs),
        slice.p50.toFixed(1),
        slice.p99.toFixed(1),
        whole(slice.rssMiB),
        ratio ? ratio.rate.toFixed(2) : '',
        ratio ? ratio.cpu.toFixed(2) : '',
      ]),
    ),
    '',
    'CPU of a row covers all processes of a server, but not PostgreSQL or Redis.',
    `The cores hash ${tenth(report.hashRate)} passwords a second with the default cost when they do nothing else.`,
    '',
    '## Start and memory',
    '',
    ...table(
      ['server', 'cold start, ms', 'with a warm compile cache, ms', 'idle MiB'],
      starts.map(({ server, cold, warm, idleMiB }) => [server, whole(cold), whole(warm), whole(idleMiB)]),
    ),
    ...(growth.length === 0 ? [] : growthLines(growth)),
    '',
    '## Targets',
    '',
    'Of the embedded default, unless another server is named. A busy machine moves rates more than processor time.',
    '',
    ...table(['target', 'asked', 'measured', 'met'], targets(report)),
    '',
  ].join('\n');
}

function growthLines(growth: Growth[]): string[] {
  return [
    '',
    '## Growth',
    '',
    'The same operations on two stores in turns; 1.00 is as fast as on the small one.',
    '',
    ...table(
      ['operation', 'accounts and sessions', 'requests/s', 'against', 'requests/s', 'rate', 'CPU'],
      growth.map(({ operation, small, large, rate, cpu }) => [
        operation,
        whole(large.people),
        whole(large.rate),
        whole(small.people),
        whole(small.rate),
        rate.toFixed(2),
        cpu.toFixed(2),
      ]),
    ),
  ];
}

function table(head: string[], rows: string[][]): string[] {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_name, index) => (index < 2 ? '---' : '---:'))), ...rows.map(line)];
}
