/**
 * Guesses at one account: counted in SQL before anybody compares, so that neither parallel requests nor restarts nor
 * other doors gain a guess (SECURITY A08, D7). Knows addresses by their keyed hash only, so one that belongs to nobody
 * is counted like any other; doesn't know what is guessed.
 */
import type { Database } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import type { Keyring } from '../keyring/keyring.ts';
import {
  type Attempt,
  type AttemptKind,
  type AttemptRules,
  type Counted,
  createAttemptLedger,
  type Slowed,
} from './attempt-ledger.ts';
import { createAttemptStore } from './attempt-store.ts';
import { tooMany } from './refusal.ts';
import { sourceOf } from './sources.ts';
import { createTurns } from './turns.ts';

/** How long somebody stands in line for others of the same source. */
const PATIENCE_MS = 3000;

export type { Attempt, AttemptKind, Slowed };

export interface AccountAttemptsOptions {
  db: Database;
  keyring: Pick<Keyring, 'mac'>;
  rules: AttemptRules;
  /** Sources that are not limited as such; an account's counts hold for them, too. */
  isAllowed?(address: string): boolean;
  /** Steps of the unit that refuses. */
  onSlowed?(slowed: Slowed): Steps<void>;
  /** An attempt was refused, for the metrics. */
  onRefused?(limit: 'account' | 'guesses', attempt: Attempt): void;
}

export interface Begun<Found> {
  found: Found | undefined;
  settled: Promise<void>;
}

export function createAccountAttempts({ db, onRefused, ...options }: AccountAttemptsOptions) {
  const { rules } = options;
  const store = createAttemptStore(db);
  const { decide, undo, succeeded, subjectOf, strangersOf } = createAttemptLedger({ store, ...options });
  const turns = createTurns({ patienceMs: PATIENCE_MS });

  /** Counts it; what meets the limit of its source only because of others under way stands in line for them. */
  async function admitted(attempt: Attempt): Promise<{ counted: Counted; ended: () => void }> {
    const source = sourceOf(attempt.source ?? 'none');
    for (;;) {
      const decision = await db.write(() => decide(attempt));
      if ('own' in decision) return { counted: decision, ended: turns.begin(source) };
      if (decision.limit === 'guesses' && (await turns.next(source))) continue;
      onRefused?.(decision.limit, attempt);
      const code = attempt.kind === 'password' ? 'wait_or_reset' : 'wait';
      throw tooMany({ seconds: decision.seconds, limit: decision.most, code });
    }
  }

  function* closed(account: string, kind: AttemptKind): Steps<boolean> {
    const row = yield* store.find(strangersOf(subjectOf(account, kind)));
    return (row?.failures ?? 0) >= rules.fromUnknown;
  }

  /** As `attempt`, but the count of a right proof is still being taken back: `settled` resolves when that is stored, so
   * that it can share a commit with what comes of the proof. Nothing is acknowledged before. */
  async function begin<Found>(attempt: Attempt, work: () => Promise<Found | undefined>): Promise<Begun<Found>> {
    const { counted, ended } = await admitted(attempt);
    try {
      const found = await work();
      if (found !== undefined) return { found, settled: db.write(() => succeeded(attempt, counted)).finally(ended) };
    } catch (error) {
      if (error instanceof AppError && error.code === 'busy') await db.write(() => undo(counted)).finally(ended);
      else ended();
      throw error;
    }
    ended();
    return { found: undefined, settled: Promise.resolve() };
  }

  return {
    begin,

    /**
     * Runs `work` with the try already counted as a failure, and takes the count back when it was none. `work` resolves
     * with what was proved, or with undefined for a wrong guess; whatever it throws counts as wrong, too, except `busy`
     * (nothing was compared). It must do every comparison of the proof: what is refused here costs nothing and is told
     * in the same words, whoever's address it is.
     *
     *     const proved = await attempts.attempt(
     *       { account: account.emailCanonical, source: by.ip, kind: 'factor', known: device?.known(account.emailCanonical) },
     *       async () => ((await totp.matches(account.id, code)) ? account : undefined),
     *     );
     *     if (!proved) throw new AppError('invalid_code', …);
     *
     * From one source: `fromSource` failures in a quarter of an hour, then each makes the next wait twice as long, up to
     * a quarter of an hour. From all unknown sources together: `fromUnknown` in a row, then none until the owner proves
     * otherwise. A known device or session has `fromDevice` of its own, which no stranger can use up.
     * @throws AppError too_many_attempts without having run `work`.
     */
    async attempt<Found>(attempt: Attempt, work: () => Promise<Found | undefined>): Promise<Found | undefined> {
      const { found, settled } = await begin(attempt, work);
      await settled;
      return found;
    },

    /** Steps: the owner proved the address by what was mailed there; failures until now are forgotten. */
    *forgive(account: string, kinds: AttemptKind[]): Steps<void> {
      for (const kind of kinds) yield* store.forgetSubject(subjectOf(account, kind));
    },

    /** Steps: whether strangers had all the guesses that they get. */
    closedToStrangers: closed,

    /** The same, asked by itself. */
    isClosed: (account: string, kind: AttemptKind): Promise<boolean> => db.write(() => closed(account, kind)),

    purge: store.purge,
  };
}

export type AccountAttempts = ReturnType<typeof createAccountAttempts>;
