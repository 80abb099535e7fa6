/**
 * A password that somebody chooses, whichever door it comes through (registration, reset, change, invitation, operator):
 * the policy, then known breaches where the operator switched that on, then the hash.
 */
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import { AppError, type FieldError } from '../errors.ts';
import type { Breaches } from './breaches.ts';
import type { PasswordPolicy } from './password-policy.ts';
import type { Passwords } from './passwords.ts';

/** Who chooses, as far as it is known, and through which door. */
export interface Chooser {
  email?: string | undefined;
  name?: string | null | undefined;
  account?: string | undefined;
  by: Origin;
}

export interface NewPasswordsOptions {
  policy: PasswordPolicy;
  passwords: Pick<Passwords, 'hash'>;
  /** Undefined while the check is switched off. */
  breaches: Breaches | undefined;
  audit: Pick<Recorder, 'note'>;
  /** Tried first by whoever guesses, so it is no password here. */
  serviceName: string;
}

export function createNewPasswords({ policy, passwords, breaches, audit, serviceName }: NewPasswordsOptions) {
  const ruled = (password: string, { email, name }: Pick<Chooser, 'email' | 'name'>) =>
    policy.check(password, { email: email ?? '', name: name ?? '', service: serviceName });

  /** Fails open: who can't reach the service shall still be able to change a password. */
  async function breached(password: string, { account, by }: Chooser): Promise<boolean> {
    try {
      return ((await breaches?.(password)) ?? 0) > 0;
    } catch (error) {
      const reason = (error as { reason?: unknown }).reason ?? (error as Error).name;
      const details = { reason: String(reason) };
      await audit.note({ type: 'password.breach_check_failed', outcome: 'failure', account, by, details });
      return false;
    }
  }

  async function faults(password: string, chooser: Chooser): Promise<FieldError[]> {
    const found = ruled(password, chooser);
    if (found.length > 0 || !breaches) return found;
    return (await breached(password, chooser)) ? [{ field: 'password', code: 'password_breached' }] : [];
  }

  return {
    /** What is wrong with it: one fault of the field `password`, or none. */
    faults,

    /** The policy alone, for what is known of the person only later. */
    ruled,

    hash: passwords.hash,

    /** The hash of a good one. @throws AppError weak_password, busy. */
    async accept(password: string, chooser: Chooser, field = 'password'): Promise<string> {
      const found = (await faults(password, chooser)).map((fault) => ({ ...fault, field }));
      if (found.length > 0) {
        throw new AppError('weak_password', {
          message: 'This password is refused by the password policy.',
          fields: found,
        });
      }
      return passwords.hash(password);
    },
  };
}

export type NewPasswords = ReturnType<typeof createNewPasswords>;
