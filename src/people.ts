/** The parts around an account, put together: what services.ts builds for the pages, the API and the command line. */
import { createAccounts } from './accounts/accounts.ts';
import { createBreaches } from './accounts/breaches.ts';
import { createChallengeStore } from './accounts/challenge-store.ts';
import { createChallenges } from './accounts/challenges.ts';
import { createDeletion, type DeletionOptions } from './accounts/deletion.ts';
import { createEmailChange } from './accounts/email-change.ts';
import { createEmailRestore } from './accounts/email-restore.ts';
import {
  createExport,
  type Exporter,
  exportAccount,
  exportChallenges,
  exportFactorRecovery,
} from './accounts/export.ts';
import { createFactorRecovery, type FactorRecoveryOptions } from './accounts/factor-recovery.ts';
import { createFactorRecoveryStore } from './accounts/factor-recovery-store.ts';
import { createInvitations } from './accounts/invitations.ts';
import { createLinks } from './accounts/links.ts';
import { createNewPasswords } from './accounts/new-passwords.ts';
import type { AccountParts } from './accounts/parts.ts';
import { createPasswordPolicy } from './accounts/password-policy.ts';
import { createPasswords } from './accounts/passwords.ts';
import { createRecovery } from './accounts/recovery.ts';
import { createRegistration } from './accounts/registration.ts';
import { createAccountStore } from './accounts/store.ts';
import type { Settings } from './config/settings.ts';
import type { Outbound } from './http/outbound.ts';
import type { Keyring } from './keyring/keyring.ts';
import type { AccountAttempts } from './limits/account-attempts.ts';
import type { MailBudget, MailLimit } from './limits/mail-budget.ts';
import type { Refusals } from './limits/refusals.ts';

const HOUR_MS = 3_600_000;

export interface PeopleOptions extends Pick<AccountParts, 'db' | 'outbox' | 'issuer' | 'endSessions'> {
  audit: DeletionOptions['audit'];
  settings: Settings;
  keyring: Keyring;
  serviceName: string;
  clearFactors: FactorRecoveryOptions['clearFactors'];
  /** What other features hold of a person. */
  exporters: Exporter[];
  /** Reaches the service of breached passwords. */
  ranges: Outbound;
  /** Hears of an attempt that was refused. */
  onLimited(limit: 'code' | MailLimit): void;
  limits: { attempts: AccountAttempts; mails: MailBudget; refusals: Refusals };
}

export function createPeople({
  settings,
  keyring,
  serviceName,
  ranges,
  exporters,
  limits,
  onLimited,
  clearFactors,
  ...given
}: PeopleOptions) {
  const { db, audit } = given;
  const { attempts, mails } = limits;
  const passwords = createPasswords({ ...settings.argon2, pepper: keyring.key('pepper') });
  const policy = createPasswordPolicy({ minLength: settings.passwordMinLength });
  const url = settings.passwordBreachUrl;
  const breaches = url === undefined ? undefined : createBreaches({ url, fetch: ranges });
  const newPasswords = createNewPasswords({ policy, passwords, breaches, audit, serviceName });
  const store = createAccountStore(db);
  const challengeStore = createChallengeStore(db);
  const links = createLinks({ store: challengeStore, keyring });
  const challenges = createChallenges({
    store: challengeStore,
    keyring,
    audit,
    rules: settings.mailCodes,
    ...{ attempts, mails },
    onRefused(limit, { sentTo: account, purpose: budget }) {
      onLimited(limit);
      const whose = limit === 'mail_purpose' ? { budget } : { account };
      limits.refusals.note({ limit, durationMs: HOUR_MS, by: { ip: null }, ...whose });
    },
  });
  const parts: AccountParts = { ...given, store, challenges, links, passwords, newPasswords, attempts };
  const recoveries = createFactorRecoveryStore(db);
  const factorRecovery = createFactorRecovery({
    ...parts,
    ...{ recoveries, clearFactors, addressesOf: challengeStore.addressesOf },
    waitMs: settings.factors.recoveryWait * 1000,
  });
  const { requireSettled } = factorRecovery;

  return {
    parts,
    factorRecovery,
    policy,
    passwords,
    attempts,
    challenges,
    accounts: createAccounts(parts),
    registration: createRegistration({
      ...parts,
      rules: { mode: settings.registration, domains: settings.registrationDomains },
    }),
    recovery: createRecovery(parts),
    invitations: createInvitations(parts),
    emailChange: createEmailChange({
      ...parts,
      requireSettled,
      perDay: settings.mailCodes.perDay,
      askedSince: (id, since) => challengeStore.askedSince(id, 'change_email', since),
      domains: settings.registrationDomains,
    }),
    emailRestore: createEmailRestore(parts),
    personalData: createExport({
      audit,
      issuer: given.issuer,
      exporters: [exportAccount, ...exporters, exportChallenges(challengeStore), exportFactorRecovery(recoveries)],
    }),
    deletion: createDeletion({ ...parts, audit, requireSettled, graceMs: settings.deletionGrace * 1000 }),
  };
}
