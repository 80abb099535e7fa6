/**
 * How much mail somebody can make this service send: to one address, and of one purpose to all together. Steps of the
 * unit of work that sends, which is undone when there is none left. Notices of security are not counted.
 */
import type { Steps } from '../db/statement.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { hitWindow } from './window-store.ts';

const HOUR_MS = 3_600_000;
/** Kept of an address's hour for devices that are known: no stranger can use up the owner's mails. */
const KEPT = 3;

export interface MailBudgetOptions {
  keyring: Pick<Keyring, 'mac'>;
  rules: { toAddress: number; ofPurpose: number };
}

export interface Letter {
  /** Canonical. */
  to: string;
  purpose: string;
  /** Asked for by a device that signed in with this address before. */
  known: boolean;
}

export type MailLimit = 'mail_address' | 'mail_purpose';

export function createMailBudget({ keyring, rules }: MailBudgetOptions) {
  return {
    /** Counts a mail. What it is beyond, and for how many seconds, if it may not be sent. The address's row stays locked
     * until the unit ends: what counts the mails of an address after it does so alone. */
    *spend({ to, purpose, known }: Letter): Steps<{ limit: MailLimit; seconds: number } | undefined> {
      const toAddress = yield* hitWindow(`mails:${keyring.mac('limits', `mail|${to}`)}`, HOUR_MS);
      const seconds = Math.ceil((HOUR_MS - (Date.now() % HOUR_MS)) / 1000);
      if (toAddress > rules.toAddress - (known ? 0 : KEPT)) return { limit: 'mail_address', seconds };
      if (known) return undefined;
      const ofPurpose = yield* hitWindow(`mails-of:${purpose}`, HOUR_MS);
      return ofPurpose > rules.ofPurpose ? { limit: 'mail_purpose', seconds } : undefined;
    },
  };
}

export type MailBudget = ReturnType<typeof createMailBudget>;
