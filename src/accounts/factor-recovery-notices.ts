/** What people are told while lost factors wait to be removed: each warning has a link of its own that stops it. */
import type { Origin } from '../audit/events.ts';
import type { Steps } from '../db/statement.ts';
import type { ChallengeStore } from './challenge-store.ts';
import type { FactorRecoveryRow } from './factor-recovery-store.ts';
import type { AccountParts } from './parts.ts';
import type { Account } from './store.ts';

/** After its end a waiting time is good for so long; then it has to be begun again. Its links live as long. */
export const LAPSES_MS = 7 * 86_400_000;

export interface FactorRecoveryNoticesOptions extends Pick<AccountParts, 'links' | 'outbox' | 'issuer'> {
  /** Steps: addresses that a living link of this kind went to. */
  addressesOf: ChallengeStore['addressesOf'];
}

export function createFactorRecoveryNotices({ links, outbox, issuer, addressesOf }: FactorRecoveryNoticesOptions) {
  return {
    /** Steps: word to the account's address, and to those that it had until lately. */
    *warn(what: 'started' | 'reminder', account: Account, row: FactorRecoveryRow, by?: Origin): Steps<void> {
      const { locale } = account.profile;
      const lifetimeMs = row.ends_at + LAPSES_MS - Date.now();
      const times = { when: new Date(row.requested_at).toISOString(), until: new Date(row.ends_at).toISOString() };
      const about = { what, ...times, ip: by?.ip ?? null, device: by?.device ?? null, ...zoneOf(account) };
      const former = yield* addressesOf(account.id, 'restore_email');
      for (const to of new Set([account.emailCanonical, ...former])) {
        const link = { purpose: 'keep_factors' as const, sentTo: to, accountId: account.id, data: null };
        const token = yield* links.issue({ ...link, lifetimeMs });
        const data = { ...about, link: `${issuer}/security/keep-factors/${token}` };
        yield* outbox.enqueue('mail', { template: 'factor-recovery', to, locale, data });
      }
    },

    /** Steps: `outcome` is `finished`, or why it was stopped. */
    *tellOfEnd(account: Account, outcome: string, by: Origin): Steps<void> {
      const data = { outcome, when: new Date().toISOString(), ip: by.ip, device: by.device, ...zoneOf(account) };
      const to = { to: account.emailCanonical, locale: account.profile.locale };
      yield* outbox.enqueue('mail', { template: 'factor-recovery-over', ...to, data });
    },
  };
}

const zoneOf = ({ profile }: Account) => (profile.zoneinfo ? { timeZone: profile.zoneinfo } : {});
