/** What a run has found out. */
import type { Growth } from './growth.ts';
import type { Result } from './matrix.ts';
import type { Start } from './starts.ts';

export interface Report {
  date: string;
  rounds: number;
  seconds: number;
  /** Before and after the run: the disk may be busy with other things. */
  fsyncRates: [before: number, after: number];
  /** Milliseconds. */
  starts: Start[];
  results: Result[];
  /** Argon2id hashes a second that the cores can make with the default cost. */
  hashRate: number;
  growth?: Growth[];
}
