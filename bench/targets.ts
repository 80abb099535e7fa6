/** What we ask of ourselves, beside what a run measured. Ratios are against the bare protocol core of the same run. */
import type { Report } from './findings.ts';

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

/** Rows: target, asked, measured, met. What a run did not measure has no row. */
export function targets(report: Omit<Report, 'date'>): string[][] {
  return [...ratios(report), ...passwords(report), ...starts(report), ...growth(report)];
}

const row = (name: string, asked: string, measured: string, met: boolean) => [
  name,
  asked,
  measured,
  met ? 'yes' : 'no',
];

function ratios({ results }: Pick<Report, 'results'>): string[][] {
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

function passwords({ results, hashRate }: Pick<Report, 'results' | 'hashRate'>): string[][] {
  const own = results.find((each) => each.operation === 'password sign-in' && each.server === 'embedded');
  if (!own) return [];
  const part = own.slice.rate / hashRate;
  return [row('password sign-ins', '≥ 0.9 of what the cores can hash', part.toFixed(2), part >= 0.9)];
}

function starts({ starts: all }: Pick<Report, 'starts'>): string[][] {
  const own = all.find(({ server }) => server === 'embedded');
  const bare = all.find(({ server }) => server === 'bare');
  if (!own || !bare) return [];
  const memory = own.idleMiB / bare.idleMiB;
  return [
    row('start, cold', '≤ 1,500 ms', `${Math.round(own.cold)} ms`, own.cold <= 1500),
    row('start, warm compile cache', '≤ 800 ms', `${Math.round(own.warm)} ms`, own.warm <= 800),
    row('idle memory', '≤ 1.25 of bare', memory.toFixed(2), memory <= 1.25),
  ];
}

function growth({ growth: all = [] }: Pick<Report, 'growth'>): string[][] {
  return all.map(({ operation, large, rate }) =>
    row(`${operation}, ${large.people} accounts`, '≥ 0.9 of the small store', rate.toFixed(2), rate >= 0.9),
  );
}
