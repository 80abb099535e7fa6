/** What the command line is given: the features, opened on a command's first need and closed after it. */
import type { Roles } from '../access/roles.ts';
import type { Accounts } from '../accounts/accounts.ts';
import type { Deletion } from '../accounts/deletion.ts';
import type { FactorRecovery } from '../accounts/factor-recovery.ts';
import type { Invitations } from '../accounts/invitations.ts';
import type { AuditEntry } from '../audit/events.ts';
import type { AuditLog } from '../audit/log.ts';
import type { Mark } from '../audit/macs.ts';
import type { Filter } from '../audit/store.ts';
import type { FieldError } from '../errors.ts';
import type { Factors } from '../factors/factors.ts';
import type { DeadLetters } from '../jobs/dead-letters.ts';
import type { Outbox } from '../jobs/outbox.ts';
import type { Secrets } from '../keyring/secrets.ts';
import type { AddressRules } from '../limits/address-rules.ts';
import type { Mailer } from '../mail/mailer.ts';
import type { Clients } from '../oidc/clients.ts';
import type { Keys } from '../oidc/keys.ts';
import type { Backup } from '../ops/backup.ts';
import type { Restored } from '../ops/restoration.ts';
import type { Sessions } from '../sessions/sessions.ts';

export interface Services {
  accounts: Accounts;
  deletion: Pick<Deletion, 'remove' | 'restore'>;
  invitations: Invitations;
  sessions: Sessions;
  addresses: Pick<AddressRules, 'list' | 'put' | 'remove'>;
  factors: Factors;
  factorRecovery: Pick<FactorRecovery, 'open'>;
  roles: Pick<Roles, 'change' | 'held' | 'ofEach'>;
  clients: Clients;
  mailer: Mailer;
  outbox: Outbox;
  deadLetters: DeadLetters;
  audit: Pick<AuditLog, 'list' | 'verify' | 'checkpoints'> & {
    readCheckpoint(jws: string): Mark | undefined | Promise<Mark | undefined>;
    /** A promise of the pages, because the features are opened at the first use. */
    entries(filter: Filter): AsyncGenerator<AuditEntry[]> | Promise<AsyncGenerator<AuditEntry[]>>;
  };
  keys: Pick<Keys, 'list' | 'rotate'>;
  /** Works also with a secret key that opens nothing. */
  secrets: Secrets;
  backup: Backup;
  restoring: {
    /** Puts a backup into the empty data folder, and ends what it holds. */
    from(backup: string): Promise<Restored>;
    /** Ends what the database holds, which something else restored. */
    inPlace(): Promise<Restored>;
  };
  /** An origin, without a slash at its end. */
  issuer: string;
  development: boolean;
  /** Brings the database to the newest schema; resolves with the names that were applied. */
  migrate(): Promise<string[]>;
  /** Names of the migrations that the database lacks. Neither this nor `migrate` may need a table. */
  pending(): Promise<string[]>;
  close(): Promise<void>;
}

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Resolves when all that went to `out` is written, and rejects when it can't be. */
  flush?: (() => Promise<void>) | undefined;
  /** Width in columns; unset where nobody looks. */
  columns?: number | undefined;
  /** Asks the person; the empty string when there is no answer. Unset where there is nobody to ask. */
  ask?: ((question: string) => Promise<string>) | undefined;
  /** Asks without showing what is typed. */
  askSecret?: ((question: string) => Promise<string>) | undefined;
  /** All of the standard input. */
  readInput(): Promise<string>;
}

export interface ProgramOptions extends Terminal {
  version: string;
  open(): Promise<Services>;
  /** Runs the server; resolves with the exit code when it has stopped. */
  serve(): Promise<number>;
  /** Writes the generated files; resolves with their names. */
  generate(): Promise<string[]>;
  /** Where the instance of these settings listens. */
  address(): { host: string; port: number };
  /** The English words for a field's fault; its code when left out. */
  words?: ((fault: FieldError) => string) | undefined;
}
