/** All that is stored about a person, as one JSON object: each feature gives its part. Neither secrets nor hashes. */
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import type { ChallengeStore } from './challenge-store.ts';
import type { FactorRecoveryStore } from './factor-recovery-store.ts';
import type { Account } from './store.ts';

/** A part of the export: its member, and what a feature holds of an account. */
export interface Exporter {
  name: string;
  of(account: Account): Promise<unknown>;
}

export interface ExportOptions {
  audit: Pick<Recorder, 'note'>;
  exporters: Exporter[];
  issuer: string;
}

export function createExport({ audit, exporters, issuer }: ExportOptions) {
  return {
    /** Members that a person can take along, in the order of the exporters. */
    async of(account: Account, by: Origin): Promise<Record<string, unknown>> {
      await audit.note({ type: 'account.exported', account: account.id, by });
      const parts: Record<string, unknown> = { issuer, exported_at: new Date().toISOString() };
      for (const { name, of } of exporters) parts[name] = await of(account);
      return parts;
    },
  };
}

export type Export = ReturnType<typeof createExport>;

/** The row of the account. Of the password only when it was set. */
export const exportAccount: Exporter = {
  name: 'account',
  of: async (account) => ({
    id: account.id,
    email: account.email,
    email_verified_at: iso(account.emailVerifiedAt),
    status: account.status,
    delete_after: iso(account.deleteAfter),
    ...account.profile,
    phone_number: account.phoneNumber,
    address: account.address,
    has_password: account.passwordHash !== null,
    password_changed_at: iso(account.passwordChangedAt),
    created_at: iso(account.createdAt),
    updated_at: iso(account.updatedAt),
  }),
};

/** Codes and links that were mailed, without what they were. */
export const exportChallenges = (store: Pick<ChallengeStore, 'about'>): Exporter => ({
  name: 'codes_and_links',
  of: async ({ id, emailCanonical }) =>
    (await store.about(id, emailCanonical)).map(({ created_at, expires_at, consumed_at, ...facts }) => ({
      ...facts,
      created_at: iso(created_at),
      expires_at: iso(expires_at),
      used_at: iso(consumed_at),
    })),
});

/** The waiting time after which lost factors may be removed, null without one. */
export const exportFactorRecovery = (store: Pick<FactorRecoveryStore, 'of'>): Exporter => ({
  name: 'factor_recovery',
  async of({ id }) {
    const row = await store.of(id);
    if (!row) return null;
    return { requested_at: iso(row.requested_at), ends_at: iso(row.ends_at), finished_at: iso(row.finished_at) };
  },
});

export const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
