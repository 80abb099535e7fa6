/** What runs have found out: each part with its own date and conditions, because not all are measured at once. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Growth } from './growth.ts';
import type { Result } from './matrix.ts';
import type { Mixes } from './mixes.ts';
import type { Soak } from './soak.ts';
import type { Start } from './starts.ts';

export interface Conditions {
  date: string;
  machine: string;
  versions: string;
  /** Before and after: the disk may be busy with other things. */
  fsyncRates: [before: number, after: number];
  /** The command that repeats it. */
  command: string;
}

export interface Findings {
  table: {
    rounds: number;
    seconds: number;
    results: Result[];
    /** Argon2id hashes a second that the cores can make with the default cost. */
    hashRate: number;
  };
  starts: { starts: Start[] };
  mixes: { seconds: number; mixes: Mixes };
  growth: { sizes: [small: number, large: number]; growth: Growth[] };
  soak: { soak: Soak };
}

export type Part = keyof Findings;
export type Report = { [P in Part]?: Findings[P] & { conditions: Conditions } };

export const PARTS: Part[] = ['starts', 'table', 'mixes', 'growth', 'soak'];

export function readReport(file: string): Report {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : {};
}

export function writeReport(file: string, report: Report): void {
  // Figures beyond what a measurement is worth only make noise in a comparison of two versions.
  const short = (_name: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value);
  writeFileSync(file, `${JSON.stringify(report, short, 1)}\n`);
}
