/**
 * Tries at the codes of one account, by whichever door: counted before anybody compares, and a failure is recorded.
 * The sign-in under way counts besides (login.ts).
 */
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import { createCountedTries } from '../limits/guesses.ts';
import type { SqlWindows } from '../limits/window-store.ts';
import type { FactorKind } from './factors.ts';

const DURATION_MS = 15 * 60_000;
const MOST = 20;

export interface FactorTriesOptions {
  windows: Pick<SqlWindows, 'hit' | 'takeBack'>;
  audit: Pick<Recorder, 'note'>;
}

export interface Try {
  accountId: string;
  kind: FactorKind;
  by: Origin;
}

/** What came of it: `used` is a code that was right once. */
export type Verdict = 'right' | 'wrong' | 'used';

export function createFactorTries({ windows, audit }: FactorTriesOptions) {
  const attempt = createCountedTries(windows);

  /** @throws AppError too_many_attempts without having compared. */
  return async function tried({ accountId, kind, by }: Try, compare: () => Promise<Verdict>): Promise<Verdict> {
    const limits = [{ key: `factor|${accountId}`, max: MOST }];
    let refused: Verdict = 'wrong';
    const right = await attempt({ limits, durationMs: DURATION_MS }, async () => {
      const verdict = await compare();
      if (verdict === 'right') return verdict;
      refused = verdict;
      const details = { kind, reason: verdict };
      await audit.note({ type: 'factor.failed', outcome: 'failure', account: accountId, by, details });
      return undefined;
    });
    return right ?? refused;
  };
}

export type FactorTries = ReturnType<typeof createFactorTries>;
