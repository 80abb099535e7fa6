/**
 * Tries at the codes of one account, by whichever door: counted before anybody compares, and a failure is recorded.
 * The sign-in under way counts besides (login.ts).
 */
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import type { AccountAttempts } from '../limits/account-attempts.ts';
import type { Device } from '../limits/known-devices.ts';

export interface FactorTriesOptions {
  attempts: Pick<AccountAttempts, 'attempt'>;
  audit: Pick<Recorder, 'note'>;
}

/** Whose factor is tried, and from where. */
export interface Prover {
  accountId: string;
  /** The canonical address, by which every door counts. */
  address: string;
  by: Origin;
  /** The browser. */
  device?: Device | undefined;
}

/** What came of it: `used` is a code that was right once. */
export type Verdict = 'right' | 'wrong' | 'used';

/** A budget each: who has one of them is kept from guessing at the other, too. */
const BUDGETS = { totp: 'factor', recovery: 'recovery_code' } as const;

export function createFactorTries({ attempts, audit }: FactorTriesOptions) {
  /** @throws AppError too_many_attempts without having compared. */
  return async function tried(
    kind: keyof typeof BUDGETS,
    { accountId, address, by, device }: Prover,
    compare: () => Promise<Verdict>,
  ): Promise<Verdict> {
    const attempt = { account: address, source: by.ip, kind: BUDGETS[kind], known: device?.known(address) };
    let refused: Verdict = 'wrong';
    const right = await attempts.attempt(attempt, async () => {
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
