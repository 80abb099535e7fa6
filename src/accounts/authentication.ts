/** Whether a password is an account's: always counted before it is compared, and one Argon2 whoever is asked for. */
import type { Recorder } from '../audit/audit.ts';
import { type Origin, SYSTEM } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import { AppError } from '../errors.ts';
import type { AccountAttempts } from '../limits/account-attempts.ts';
import { canonicalEmail } from './email.ts';
import type { Passwords } from './passwords.ts';
import type { Asked } from './sign-in.ts';
import type { Account, AccountStore } from './store.ts';

export interface AuthenticationOptions {
  db: Database;
  audit: Recorder;
  store: AccountStore;
  passwords: Passwords;
  attempts: Pick<AccountAttempts, 'attempt' | 'begin'>;
}

export interface Authenticated {
  account: Account;
  /** Resolves when the try is no longer counted as a failure; to be waited for before the answer. */
  settled: Promise<void>;
}

export function createAuthentication({ db, audit, store, passwords, attempts }: AuthenticationOptions) {
  return {
    /** The account may be closed (deletion.ts).
     * @throws AppError invalid_credentials, alike for every reason; too_many_attempts, alike for every address; busy. */
    async authenticate(input: { email: string; password: string } & Asked): Promise<Authenticated> {
      const { by = SYSTEM, client, device } = input;
      const email = canonicalEmail(input.email);
      const address = email?.canonical ?? input.email.trim().toLowerCase();
      const attempt = { account: address, source: by.ip, kind: 'password', known: device?.known(address) } as const;
      const { found, settled } = await attempts.begin(attempt, async () => {
        const owner = email ? await store.byEmail(email.canonical) : undefined;
        const { valid, rehash } = await passwords.verify(owner?.passwordHash ?? null, input.password);
        const refusal = refusalOf(owner, valid);
        if (refusal || !owner?.passwordHash) {
          // What was typed may be a password in the wrong field: only its keyed hash is kept.
          const details = { method: 'password', reason: refusal ?? 'no_password', address: audit.pseudonym(address) };
          await audit.note({ type: 'sign_in.failed', outcome: 'failure', account: owner?.id, client, by, details });
          return undefined;
        }
        if (rehash) {
          const from = owner.passwordHash;
          const to = await passwords.hash(input.password);
          await db.write(() => store.rehash(owner.id, from, to));
        }
        return owner;
      });
      if (!found) throw new AppError('invalid_credentials', { fields: [{ field: '', code: 'credentials' }] });
      return { account: found, settled };
    },

    /** The password of somebody who is signed in: the same count, of which the session has a share of its own.
     * @throws AppError too_many_attempts, busy. */
    async isPasswordOf(account: Account, password: string, by: Origin, known: string | undefined): Promise<boolean> {
      const attempt = { account: account.emailCanonical, source: by.ip, kind: 'password', known } as const;
      const right = await attempts.attempt(attempt, async () => {
        const { valid } = await passwords.verify(account.passwordHash, password);
        return valid || undefined;
      });
      return right === true;
    },
  };
}

/** For the record only: whoever asks is told nothing of it. */
function refusalOf(account: Account | undefined, valid: boolean): string | undefined {
  if (!account) return 'unknown_address';
  if (!account.passwordHash) return 'no_password';
  if (!valid) return 'wrong_password';
  // Who deleted the account is offered the way back.
  return account.status === 'disabled' ? 'account_disabled' : undefined;
}
