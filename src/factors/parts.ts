/** The feature put together: each kind of factor, the list of them, and what a sign-in under way has proved. */
import type { Artifacts } from '../artifacts/artifacts.ts';
import type { Recorder } from '../audit/audit.ts';
import type { Database } from '../db/database.ts';
import type { Keyring } from '../keyring/keyring.ts';
import type { AccountAttempts } from '../limits/account-attempts.ts';
import { createFactorChanges, type FactorChangesOptions } from './changes.ts';
import { createFactors } from './factors.ts';
import { createFreshness } from './freshness.ts';
import { createCeremonies, type RelyingParty } from './passkey-ceremony.ts';
import { createPasskeyChallenges } from './passkey-challenges.ts';
import { createPasskeySignIn } from './passkey-sign-in.ts';
import { createPasskeyStore } from './passkey-store.ts';
import { createPasskeys } from './passkeys.ts';
import { createRecoveryCodeStore } from './recovery-code-store.ts';
import { createRecoveryCodes } from './recovery-codes.ts';
import { createStepStore } from './step-store.ts';
import { createTotp } from './totp.ts';
import { createTotpStore } from './totp-store.ts';
import { createFactorTries } from './tries.ts';

export interface FactorPartsOptions extends FactorChangesOptions {
  db: Database;
  keyring: Keyring;
  audit: Recorder;
  attempts: Pick<AccountAttempts, 'attempt'>;
  serviceName: string;
  artifacts: Artifacts;
  passkeyParty: Omit<RelyingParty, 'name'> & { possible: boolean };
  /** The epoch of an account that exists and may be entered (accounts/store.ts, `signedOutAt`). */
  epochOf(accountId: string): Promise<number | undefined>;
  /** Refuses while nothing may be taken from the account. */
  requireSettled(accountId: string): Promise<void>;
}

export function createFactorParts(options: FactorPartsOptions) {
  const { db, keyring, audit, serviceName } = options;
  const change = createFactorChanges(options);
  const tried = createFactorTries(options);
  const hasFactor = async (accountId: string) => (await factors.kindsOf(accountId)).length > 0;
  const shared = { db, keyring, audit, change, tried, serviceName, hasFactor };
  const totp = createTotp({ ...shared, store: createTotpStore(db) });
  const recoveryCodes = createRecoveryCodes({ ...shared, store: createRecoveryCodeStore(db) });
  const ceremonies = createCeremonies({
    rp: { ...options.passkeyParty, name: serviceName },
    challenges: createPasskeyChallenges(options),
  });
  const passkeyParts = { ...options, ...shared, store: createPasskeyStore(db), ceremonies };
  const passkeys = createPasskeys({ ...passkeyParts, possible: options.passkeyParty.possible });
  const sources = [passkeys.source, totp.source, recoveryCodes.source];
  const factors = createFactors({ db, audit, change, sources, requireSettled: options.requireSettled });
  return {
    factors,
    passkeys,
    passkeySignIn: createPasskeySignIn(passkeyParts),
    totp,
    recoveryCodes,
    steps: createStepStore(db),
    isFresh: createFreshness({ kindsOf: factors.kindsOf }),
  };
}
