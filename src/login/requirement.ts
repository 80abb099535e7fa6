/**
 * What a sign-in still has to ask, given what was proved. Rules only; the pages are elsewhere. Three voices count: the
 * account (whoever has a second factor is asked for it), the operator, and the application (`demands`).
 */
import { type Demands, hasSecondFactor, meets } from '../factors/assurance.ts';
import type { FactorKind } from '../factors/factors.ts';

export interface Situation {
  /** Methods that were proved. */
  amr: readonly string[];
  /** Factors that the account has, the strongest first. */
  kinds: FactorKind[];
  demands: Demands;
  /** The operator wants a second factor of this person. */
  demanded: boolean;
  /** This browser was told to skip the account's own second step. It meets no demand of an application. */
  remembered: boolean;
  hasPassword: boolean;
  /** Passkeys can be made here. */
  passkeys: boolean;
}

export type Next =
  /** Nothing: the sign-in is good. */
  | { step: 'done' }
  /** One of these factors has to be proved. */
  | { step: 'factor'; kinds: FactorKind[] }
  /** One of these has to be set up first. */
  | { step: 'protect'; kinds: FactorKind[] }
  /** The password is missing. */
  | { step: 'password' }
  /** Nothing that this person has or can set up reaches what the application asks. */
  | { step: 'unmet' };

export function nextStep({ amr, kinds, demands, demanded, remembered, hasPassword, passkeys }: Situation): Next {
  const second = hasSecondFactor(amr);
  const unmet = demands.find((demand) => !demand.some((acr) => meets(amr, acr)));
  if (unmet) return towards(unmet, { amr, kinds, hasPassword, passkeys });
  if (second || (remembered && kinds.length > 0)) return { step: 'done' };
  if (kinds.length > 0) return { step: 'factor', kinds };
  return demanded ? { step: 'protect', kinds: passkeys ? ['passkey', 'totp'] : ['totp'] } : { step: 'done' };
}

function towards(
  demand: string[],
  { amr, kinds, hasPassword, passkeys }: Pick<Situation, 'amr' | 'kinds' | 'hasPassword' | 'passkeys'>,
): Next {
  const useful = usefulFor(demand, amr);
  const owned = useful.filter((kind) => kinds.includes(kind));
  if (owned.length > 0) return { step: 'factor', kinds: owned };
  // A factor that is there is asked for before another may be set up: else the second step could be walked around.
  if (kinds.length > 0 && !hasSecondFactor(amr)) return { step: 'factor', kinds };
  const byPassword = demand.some((acr) => acr === 'urn:latchkey:pwd' || acr === 'urn:latchkey:mfa');
  if (byPassword && hasPassword && !amr.includes('pwd') && !amr.includes('pop')) return { step: 'password' };
  const possible = useful.filter((kind) => kind !== 'recovery' && (passkeys || kind !== 'passkey'));
  return possible.length > 0 ? { step: 'protect', kinds: possible } : { step: 'unmet' };
}

/** Kinds by which, with what was proved, one of the classes is reached. What was proved already is not asked again. */
function usefulFor(demand: string[], amr: readonly string[]): FactorKind[] {
  const kinds = new Set<FactorKind>();
  if (!amr.includes('pop') && demand.some((acr) => acr !== 'urn:latchkey:email')) kinds.add('passkey');
  if (demand.includes('urn:latchkey:mfa') && amr.includes('pwd')) {
    kinds.add('totp');
    kinds.add('recovery');
  }
  return (['passkey', 'totp', 'recovery'] as const).filter((kind) => kinds.has(kind));
}
