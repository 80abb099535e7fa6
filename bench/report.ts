/** The results as Markdown, for docs/performance.md; what was written there by hand stays. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Conditions, Report } from './findings.ts';
import type { Paced } from './paced.ts';
import { targets } from './targets.ts';

const BY_HAND = '## What these figures are worth';

const whole = (value: number) => Math.round(value).toLocaleString('en-GB');
const tenth = (value: number) => (value < 100 ? value.toFixed(1) : whole(value));

export function writeDocument(file: string, report: Report): void {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const at = before.indexOf(BY_HAND);
  writeFileSync(file, `${markdown(report)}${at < 0 ? '' : `\n${before.slice(at)}`}`);
}

export function markdown(report: Report): string {
  return [
    '# Performance',
    '',
    'The tables are written by `npm run bench -- --write`; the section “What these figures are worth” is written by hand.',
    '',
    ...tableOf(report.table),
    ...mixesOf(report.mixes),
    ...startsOf(report.starts),
    ...growthOf(report.growth),
    ...soakOf(report.soak),
    '## Targets',
    '',
    'Of the embedded default, unless another server is named. A busy machine moves rates more than processor time.',
    '',
    ...table(['target', 'asked', 'measured', 'met'], targets(report)),
    '',
  ].join('\n');
}

function circumstances({ date, machine, versions, fsyncRates, command }: Conditions): string[] {
  return [
    `- ${date}, to be repeated with \`${command}\`.`,
    `- ${machine}. The load generator runs on the same cores.`,
    `- ${versions}.`,
    `- The disk: ${whole(fsyncRates[0])} fsync/s before the run, ${whole(fsyncRates[1])} after it.`,
  ];
}

function tableOf(found: Report['table']): string[] {
  if (!found) return [];
  return [
    '## Operations',
    '',
    ...circumstances(found.conditions),
    `- ${found.rounds} rounds of ${found.seconds} s over 16 connections; in each round every server has its turn, and a`,
    '  figure is the median over the rounds. “Of bare” compares the two servers of the same round: requests a second',
    '  against requests a second, and processor time of bare against ours. 1.00 is as good as the bare protocol core.',
    '- “bare” is oidc-provider on its own koa with a Map as its storage: nothing survives it, nothing is recorded.',
    '  Everything of Latchkey is on as by default: audit, limits, log, sealing, hashed identifiers, a wait for the disk.',
    '',
    ...table(
      ['operation', 'server', 'requests/s', 'CPU µs', 'p50 ms', 'p99 ms', 'MiB', 'rate of bare', 'CPU of bare'],
      found.results.map(({ operation, server, slice, ratio }) => [
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
    `The cores hash ${tenth(found.hashRate)} passwords a second with the default cost when they do nothing else.`,
    '',
  ];
}

function mixesOf(found: Report['mixes']): string[] {
  if (!found) return [];
  const { quiet, beside, keycloak, loopDelay } = found.mixes;
  const line = (name: string, { operation, perSecond, rate, failed, p50, p99 }: Paced) => [
    name,
    operation,
    String(perSecond),
    rate.toFixed(1),
    String(failed),
    p50.toFixed(1),
    p99.toFixed(1),
  ];
  return [
    '## Beside each other',
    '',
    ...circumstances(found.conditions),
    `- Steps of the embedded default at a given pace for ${found.seconds} s each; a step that waits for a connection waits.`,
    '',
    ...table(
      ['load', 'operation', 'asked/s', 'done/s', 'failed', 'p50 ms', 'p99 ms'],
      [
        line('tokens alone', quiet),
        ...beside.map((each) => line('tokens beside sign-ins', each)),
        ...keycloak.map((each) => line('one sign-in to five refreshes', each)),
      ],
    ),
    '',
    `The event loop was late by ${loopDelay.toFixed(1)} ms (p99, by a timer of 10 ms) while 16 connections did nothing but refresh.`,
    '',
  ];
}

function startsOf(found: Report['starts']): string[] {
  if (!found) return [];
  return [
    '## Start and memory',
    '',
    ...circumstances(found.conditions),
    '',
    ...table(
      ['server', 'cold start, ms', 'with a warm compile cache, ms', 'idle MiB'],
      found.starts.map(({ server, cold, warm, idleMiB }) => [server, whole(cold), whole(warm), whole(idleMiB)]),
    ),
    '',
  ];
}

function growthOf(found: Report['growth']): string[] {
  if (!found) return [];
  return [
    '## Growth',
    '',
    ...circumstances(found.conditions),
    '- The same operations on two stores in turns; 1.00 is as fast as on the small one.',
    '',
    ...table(
      ['operation', 'accounts and sessions', 'requests/s', 'against', 'requests/s', 'rate', 'CPU'],
      found.growth.map(({ operation, small, large, rate, cpu }) => [
        operation,
        whole(large.people),
        whole(large.rate),
        whole(small.people),
        whole(small.rate),
        rate.toFixed(2),
        cpu.toFixed(2),
      ]),
    ),
    '',
  ];
}

function soakOf(found: Report['soak']): string[] {
  if (!found) return [];
  const { minutes, early, late } = found.soak;
  return [
    '## Memory under load',
    '',
    ...circumstances(found.conditions),
    '',
    `${minutes} minutes of refreshes, code flows, introspections and client credentials in turns: ${whole(early)} MiB at most in the second tenth of the time, ${whole(late)} MiB in the last.`,
    '',
  ];
}

function table(head: string[], rows: string[][]): string[] {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_name, index) => (index < 2 ? '---' : '---:'))), ...rows.map(line)];
}
