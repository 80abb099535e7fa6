/** What we ask of ourselves, beside what a run measured. Ratios are against the bare protocol core of the same run. */
import type { Report } from './findings.ts';
import type { Growth } from './growth.ts';
import type { Result } from './matrix.ts';
import type { Mixes } from './mixes.ts';
import type { Paced } from './paced.ts';
import type { Soak } from './soak.ts';
import type { Start } from './starts.ts';

interface Ratio {
  operations: string[];
  server: string;
  of: 'rate' | 'cpu';
  atLeast: number;
}

const LIKE_BARE = ['client credentials, opaque', 'client credentials, JWT', 'introspection', 'userinfo'];
const FLOWS = ['code flow, ES256', 'code flow, RS256'];

const RATIOS: Ratio[] = [
  { operations: ['discovery', 'JWKS'], server: 'embedded', of: 'rate', atLeast: 3 },
  { operations: [...LIKE_BARE, ...FLOWS], server: 'embedded', of: 'rate', atLeast: 0.85 },
  { operations: ['refresh with rotation'], server: 'embedded', of: 'rate', atLeast: 0.6 },
  {
    operations: [...LIKE_BARE, ...FLOWS, 'refresh with rotation'],
    server: 'PostgreSQL + Redis',
    of: 'cpu',
    atLeast: 0.5,
  },
];

/** Rows: target, asked, measured, met. What was not measured has no row. */
export function targets(report: Report): string[][] {
  return [
    ...ratios(report.table?.results ?? []),
    ...instances(report.table?.results ?? []),
    ...passwords(report.table),
    ...mixes(report.mixes?.mixes),
    ...starts(report.starts?.starts ?? []),
    ...growth(report.growth?.growth ?? []),
    ...memory(report.soak?.soak),
  ];
}

/** More of them cost no more each: where cores are free they do as much more, here they share them with the load. */
const EQUAL = 0.85;

function instances(results: Result[]): string[][] {
  const [one, two] = ['PostgreSQL + Redis', 'PostgreSQL + Redis, two instances'];
  return [...LIKE_BARE, ...FLOWS, 'refresh with rotation'].flatMap((operation) => {
    const cpuUs = (server: string) =>
      results.find((each) => each.operation === operation && each.server === server)?.slice.cpuUs;
    const [alone, both] = [cpuUs(one as string), cpuUs(two as string)];
    if (alone === undefined || both === undefined) return [];
    const asked = 'equal processor time of one instance and two';
    return [row(`${operation}, two instances`, asked, (alone / both).toFixed(2), alone / both >= EQUAL)];
  });
}

const row = (name: string, asked: string, measured: string, met: boolean) => [
  name,
  asked,
  measured,
  met ? 'yes' : 'no',
];

function ratios(results: Result[]): string[][] {
  return RATIOS.flatMap(({ operations, server, of, atLeast }) =>
    operations.flatMap((operation) => {
      const value = results.find((each) => each.operation === operation && each.server === server)?.ratio?.[of];
      if (value === undefined) return [];
      const name = `${operation}${server === 'embedded' ? '' : `, ${server}`}`;
      const what = of === 'rate' ? 'of the rate of bare' : 'of bare in processor time';
      return [row(name, `≥ ${atLeast} ${what}`, value.toFixed(2), value >= atLeast)];
    }),
  );
}

function passwords(table: Report['table']): string[][] {
  const own = table?.results.find((each) => each.operation === 'password sign-in' && each.server === 'embedded');
  if (!table || !own) return [];
  const part = own.slice.rate / table.hashRate;
  return [row('password sign-ins', '≥ 0.9 of what the cores can hash', part.toFixed(2), part >= 0.9)];
}

function mixes(found: Mixes | undefined): string[][] {
  if (!found) return [];
  const { quiet, beside, keycloak, loopDelay } = found;
  const [tokens, signIns] = beside;
  const [people, refreshes] = keycloak;
  const most = Math.min(15, 2 * quiet.p99);
  const enough = (paced: Paced) => paced.failed === 0 && paced.rate >= 0.95 * paced.perSecond;
  return [
    row(
      'p99 of the token endpoint beside 20 password sign-ins a second',
      `≤ ${most.toFixed(1)} ms (twice ${quiet.p99.toFixed(1)} ms, at most 15 ms)`,
      `${tokens.p99.toFixed(1)} ms (${signIns.rate.toFixed(1)} sign-ins/s)`,
      tokens.p99 <= most && enough(signIns),
    ),
    row(
      'one sign-in to five refreshes',
      '60 and 300 a second, refresh p99 ≤ 25 ms',
      `${people.rate.toFixed(1)} and ${refreshes.rate.toFixed(0)}, p99 ${refreshes.p99.toFixed(1)} ms`,
      enough(people) && enough(refreshes) && refreshes.p99 <= 25,
    ),
    row('delay of the event loop under full load, p99', '≤ 50 ms', `${loopDelay.toFixed(1)} ms`, loopDelay <= 50),
  ];
}

function starts(all: Start[]): string[][] {
  const own = all.find(({ server }) => server === 'embedded');
  const bare = all.find(({ server }) => server === 'bare');
  if (!own || !bare) return [];
  const idle = own.idleMiB / bare.idleMiB;
  return [
    row('start, cold', '≤ 1,500 ms', `${Math.round(own.cold)} ms`, own.cold <= 1500),
    row('start, warm compile cache', '≤ 800 ms', `${Math.round(own.warm)} ms`, own.warm <= 800),
    row('idle memory', '≤ 1.25 of bare', idle.toFixed(2), idle <= 1.25),
  ];
}

function growth(all: Growth[]): string[][] {
  return all.map(({ operation, large, rate }) =>
    row(`${operation}, ${large.people} accounts`, '≥ 0.9 of the small store', rate.toFixed(2), rate >= 0.9),
  );
}

/** A collector that takes its time moves the figure by a few parts of a hundred. */
function memory(found: Soak | undefined): string[][] {
  if (!found) return [];
  const ratio = found.late / found.early;
  return [
    row(`memory over ${found.minutes} minutes of load`, '≤ 1.1 of an early look', ratio.toFixed(2), ratio <= 1.1),
  ];
}
