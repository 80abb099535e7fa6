/** The feature put together: each kind of factor, the list of them, and what a sign-in under way has proved. */
import type { Database } from '../db/database.ts';
import { createFactors } from './factors.ts';
import { createFreshness } from './freshness.ts';
import { createStepStore } from './step-store.ts';

export interface FactorPartsOptions {
  db: Database;
}

export function createFactorParts({ db }: FactorPartsOptions) {
  const factors = createFactors({ sources: [] });
  return {
    factors,
    steps: createStepStore(db),
    isFresh: createFreshness({ kindsOf: factors.kindsOf }),
  };
}
