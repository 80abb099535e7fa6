/**
 * A fresh proof: what changes how an account is entered asks for a sign-in of the last ten minutes, with the second
 * factor of accounts that have one (ASVS 7.5.1). One rule for pages and API.
 */
import { hasSecondFactor } from './assurance.ts';
import type { FactorKind } from './factors.ts';

/** Seconds. */
export const FRESH_FOR = 600;

export interface FreshnessOptions {
  kindsOf(accountId: string): Promise<FactorKind[]>;
}

/** What the caller's sign-in was: times in seconds since 1970. */
export interface SignInFacts {
  accountId: string;
  authTime: number;
  amr: readonly string[];
}

/** @param authTime seconds since 1970. */
export const isRecent = (authTime: number): boolean => Math.floor(Date.now() / 1000) - authTime <= FRESH_FOR;

export function createFreshness({ kindsOf }: FreshnessOptions) {
  return async function isFresh({ accountId, authTime, amr }: SignInFacts): Promise<boolean> {
    if (!isRecent(authTime)) return false;
    return hasSecondFactor(amr) || (await kindsOf(accountId)).length === 0;
  };
}

export type IsFresh = ReturnType<typeof createFreshness>;
