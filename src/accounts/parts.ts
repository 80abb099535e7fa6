/** What the features around an account are made of, declared once; each takes of it what it needs. */
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import type { Outbox } from '../jobs/outbox.ts';
import type { AccountAttempts } from '../limits/account-attempts.ts';
import type { Challenges } from './challenges.ts';
import type { Links } from './links.ts';
import type { NewPasswords } from './new-passwords.ts';
import type { Passwords } from './passwords.ts';
import type { AccountStore } from './store.ts';

/** Why the sessions of an account end, and who asked. */
export interface Ending {
  reason:
    | 'password_changed'
    | 'password_reset'
    | 'email_changed'
    | 'email_restored'
    | 'account_disabled'
    | 'account_deleted'
    | 'factors_changed';
  by: Origin;
}

/** What stays when all else ends: a browser session, an app by its grant, or a sign-in under way by its flow. */
export interface Kept {
  session?: string | undefined;
  grant?: string | undefined;
  flow?: string | undefined;
}

export interface AccountParts {
  db: Database;
  audit: Recorder;
  store: AccountStore;
  challenges: Challenges;
  links: Links;
  outbox: Outbox;
  /** Compares; what is chosen anew goes through `newPasswords`. */
  passwords: Passwords;
  newPasswords: NewPasswords;
  attempts: Pick<AccountAttempts, 'attempt' | 'begin' | 'forgive'>;
  /** An origin, without a slash at its end. */
  issuer: string;
  /** Steps that end every session of an account but what is kept. @throws AppError unauthenticated,
   * interaction_expired where that ended before. */
  endSessions(accountId: string, cause: Ending, kept?: Kept): Steps<unknown>;
}
