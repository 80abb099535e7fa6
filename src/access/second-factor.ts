/**
 * Who must have a second factor: everybody, or people of some roles. One rule for sign-ins, for browser sessions that
 * were begun before, and for the account's own pages and calls. What applications ask for is not decided here.
 */
import type { Context } from 'koa';
import { hasSecondFactor } from '../factors/assurance.ts';
import type { FactorKind } from '../factors/factors.ts';
import type { Roles } from './roles.ts';

export interface SecondFactorOptions {
  /** The operator wants it of everybody. */
  everybody: boolean;
  roles: Pick<Roles, 'demandSecondFactor'>;
  kindsOf(accountId: string): Promise<FactorKind[]>;
  /** Whether this browser may skip the account's own second step. */
  remembered(ctx: Pick<Context, 'cookies'>, accountId: string): Promise<boolean>;
}

/** Who signed in, and how. */
export interface Proof {
  accountId: string;
  amr: readonly string[];
}

export function createSecondFactorRule({ everybody, roles, kindsOf, remembered }: SecondFactorOptions) {
  const demanded = async (accountId: string) => everybody || roles.demandSecondFactor(accountId);

  /** Without a browser, so that nothing remembered counts. */
  const suffices = async ({ accountId, amr }: Proof) => hasSecondFactor(amr) || !(await demanded(accountId));

  return {
    demanded,
    suffices,

    /** The same for a session of this browser, which may be one that was told to skip the second step. */
    async sufficesHere(ctx: Pick<Context, 'cookies'>, proof: Proof): Promise<boolean> {
      if (await suffices(proof)) return true;
      if ((await kindsOf(proof.accountId)).length === 0) return false;
      return remembered(ctx, proof.accountId);
    },
  };
}

export type SecondFactorRule = ReturnType<typeof createSecondFactorRule>;
