/**
 * Signing in with a passkey, as the whole sign-in or as its second step. Whoever is refused is told the same, whatever
 * the reason: an unknown passkey, another account's, a disabled account, a forged or copied one.
 */
import type { Recorder } from '../audit/audit.ts';
import type { NewEvent, Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../errors.ts';
import type { AccountAttempts } from '../limits/account-attempts.ts';
import type { Device } from '../limits/known-devices.ts';
import type { Method } from './assurance.ts';
import { type Assertion, type Ceremonies, CeremonyRefused } from './passkey-ceremony.ts';
import type { ChallengeUse } from './passkey-challenges.ts';
import type { AssertionResponse } from './passkey-response.ts';
import type { Passkey, PasskeyStore } from './passkey-store.ts';
import { methodsOf } from './passkeys.ts';

export interface PasskeySignInOptions {
  db: Database;
  audit: Pick<Recorder, 'record' | 'note'>;
  store: PasskeyStore;
  ceremonies: Ceremonies;
  /** Every try counts for the account, as those at codes do. */
  attempts: Pick<AccountAttempts, 'attempt'>;
  /** The epoch of an account that exists and may be entered (accounts/store.ts, `signedOutAt`). */
  epochOf(accountId: string): Promise<number | undefined>;
  /** Its canonical address, by which every door counts. */
  recipient(accountId: string): Promise<{ to: string } | undefined>;
}

/** Who asks, on the way to which application. */
export interface Attempt {
  /** `flow:UID`. */
  bound: string;
  by: Origin;
  client?: string | undefined;
  /** The browser. */
  device?: Device | undefined;
}

interface Proved {
  passkey: Passkey;
  epoch: number;
}

type Reason = CeremonyRefused['reason'] | 'unknown_passkey' | 'account_disabled' | 'handle' | 'counter' | 'backup';
/** What only a copy, or a broken authenticator, does. */
const ANOMALIES: Reason[] = ['counter', 'backup'];

class Refused extends Error {
  readonly reason: Reason;
  readonly passkey: Passkey | undefined;
  constructor(reason: Reason, passkey?: Passkey, cause?: unknown) {
    super(`a passkey is refused: ${reason}`, { cause });
    this.reason = reason;
    this.passkey = passkey;
  }
}

export function createPasskeySignIn(options: PasskeySignInOptions) {
  const { db, audit, store, ceremonies, attempts, epochOf, recipient } = options;

  /** WebAuthn section 7.2, with what belongs to the account around it. */
  async function check(response: AssertionResponse, use: ChallengeUse, by: Attempt): Promise<Proved> {
    const challenge = await ceremonies.spend(response, use);
    const passkey = await store.byCredential(response.id);
    if (!passkey || (use.accountId !== undefined && passkey.accountId !== use.accountId)) {
      throw new Refused('unknown_passkey');
    }
    const handle = response.response.userHandle ?? undefined;
    // Found by the authenticator itself, it says whose it is (step 6).
    const mayLack = use.purpose === 'second-step';
    if (!(handle === undefined && mayLack) && handle !== (await store.handleOf(passkey.accountId))) {
      throw new Refused('handle', passkey);
    }
    const assertion = await ceremonies.assert(response, challenge, passkey).catch((error) => {
      throw error instanceof CeremonyRefused ? new Refused(error.reason, passkey, error) : error;
    });
    // Read before the use is noted, which fails once the passkey is removed.
    const epoch = await epochOf(passkey.accountId);
    if (epoch === undefined) throw new Refused('account_disabled', passkey);
    await keep(passkey, assertion, by);
    return { passkey, epoch };
  }

  /** The signature was good: a counter that did not grow, or a key that became copyable, is an anomaly (step 22). */
  async function keep(passkey: Passkey, assertion: Assertion, { by, client }: Attempt): Promise<void> {
    if (assertion.backupEligible !== passkey.backupEligible) throw new Refused('backup', passkey);
    const details = { kind: 'passkey', factor: passkey.id };
    await db.write(function* () {
      if (!(yield* store.used(passkey.id, assertion))) throw new Refused('counter', passkey);
      yield* audit.record({ type: 'factor.proved', account: passkey.accountId, client, by, details });
    });
  }

  async function attempt(response: AssertionResponse, use: ChallengeUse, by: Attempt): Promise<Proved> {
    try {
      return await check(response, use, by);
    } catch (error) {
      if (!(error instanceof Refused) && !(error instanceof CeremonyRefused)) throw error;
      await record(use, error, by);
      throw new AppError('invalid_credentials', {
        message: 'The passkey was not accepted.',
        fields: [{ field: '', code: 'passkey_refused' }],
        cause: error,
      });
    }
  }

  /** @throws AppError too_many_attempts without having looked. */
  async function counted(account: string, response: AssertionResponse, use: ChallengeUse, by: Attempt) {
    const counts = { account, source: by.by.ip, kind: 'factor', known: by.device?.known(account) } as const;
    // What is wrong throws.
    return (await attempts.attempt(counts, () => attempt(response, use, by))) as Proved;
  }

  async function record(use: ChallengeUse, error: Refused | CeremonyRefused, { by, client }: Attempt): Promise<void> {
    const passkey = error instanceof Refused ? error.passkey : undefined;
    const account = passkey?.accountId ?? use.accountId;
    const common = { outcome: 'failure', account, client, by } as const;
    const reason = error.reason === 'answer' ? 'passkey_refused' : error.reason;
    const failed: NewEvent =
      use.purpose === 'second-step'
        ? { ...common, type: 'factor.failed', details: { kind: 'passkey', reason } }
        : { ...common, type: 'sign_in.failed', details: { method: 'passkey', reason } };
    await db.write(function* () {
      if (passkey && ANOMALIES.includes(error.reason)) {
        yield* audit.record({ ...common, type: 'passkey.anomaly', details: { factor: passkey.id, reason } });
      }
      yield* audit.record(failed);
    });
  }

  return {
    signInOptions: (bound: string) => ceremonies.assertionOptions({ purpose: 'sign-in', bound }),

    /** Whose passkey it was, in which epoch, and what it proved. @throws AppError invalid_credentials, too_many_attempts. */
    async signIn(
      response: AssertionResponse,
      by: Attempt,
    ): Promise<{ accountId: string; epoch: number; methods: Method[] }> {
      // One that nobody knows has a count of its own, so that it counts for its source alone.
      const found = await store.byCredential(response.id);
      const account = (found && (await recipient(found.accountId))?.to) ?? `passkey|${response.id}`;
      const use: ChallengeUse = { purpose: 'sign-in', bound: by.bound };
      const { passkey, epoch } = await counted(account, response, use, by);
      return { accountId: passkey.accountId, epoch, methods: methodsOf(passkey, true) };
    },

    async secondStepOptions(accountId: string, bound: string) {
      const allow = await store.ofAccount(accountId);
      return ceremonies.assertionOptions({ purpose: 'second-step', bound, accountId }, allow);
    },

    /** What a passkey of this account proved. @throws AppError invalid_credentials, too_many_attempts. */
    async prove(owner: { id: string; emailCanonical: string }, response: AssertionResponse, by: Attempt) {
      const use: ChallengeUse = { purpose: 'second-step', bound: by.bound, accountId: owner.id };
      return methodsOf((await counted(owner.emailCanonical, response, use, by)).passkey, true);
    },
  };
}

export type PasskeySignIn = ReturnType<typeof createPasskeySignIn>;
