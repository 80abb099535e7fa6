/**
 * The end of an account. Closed at once: every session ends and nobody can use it; gone when its time is up: its rows,
 * and what the record holds of the person. Until then signing in offers the way back.
 */
import type { Audit } from '../audit/audit.ts';
import { type Origin, SYSTEM } from '../audit/events.ts';
import { AppError } from '../errors.ts';
import type { AccountParts } from './parts.ts';
import type { Account } from './store.ts';

export interface DeletionOptions extends Pick<AccountParts, 'db' | 'store' | 'outbox' | 'endSessions'> {
  audit: AccountParts['audit'] & Pick<Audit, 'erase'>;
  /** Refuses while nothing may be taken from the account. */
  requireSettled(accountId: string): Promise<void>;
  /** How long a person can still come back; 0: not at all. */
  graceMs: number;
}

/** Rows of the record in one unit of work. */
const ERASED_AT_ONCE = 200;

export function createDeletion({ db, store, outbox, endSessions, audit, graceMs, requireSettled }: DeletionOptions) {
  /** Of an account whose time is up. What was begun and broke off goes on at the next sweep. */
  async function finish(id: string, by: Origin): Promise<void> {
    let after: string | undefined = '';
    while (after !== undefined) {
      const from: string = after;
      after = await db.write(() => audit.erase(id, from, ERASED_AT_ONCE));
    }
    await db.write(function* () {
      // Another process may have been faster.
      if ((yield* store.removeClosed(id)) !== 1) return;
      let last: string | undefined = '';
      while (last !== undefined) last = yield* audit.erase(id, last, ERASED_AT_ONCE);
      yield* audit.record({ type: 'account.deleted', account: id, by });
    });
  }

  return {
    graceMs,

    /** By the person. Resolves with the time from which on nothing can be undone, in milliseconds since 1970.
     * @throws AppError conflict. */
    async close(account: Account, by: Origin): Promise<number> {
      await requireSettled(account.id);
      const until = Date.now() + graceMs;
      const { ip, device } = by;
      const when = new Date().toISOString();
      const data = { when, ip, device, until: graceMs === 0 ? null : new Date(until).toISOString() };
      await db.write(function* () {
        if ((yield* store.close(account.id, until, ['active'])) !== 1) throw new AppError('conflict');
        yield* endSessions(account.id, { reason: 'account_deleted', by });
        const details = { until: new Date(until).toISOString() };
        yield* audit.record({ type: 'account.closed', account: account.id, by, details });
        const { emailCanonical: to, profile } = account;
        yield* outbox.enqueue('mail', { template: 'account-closed', to, locale: profile.locale, data });
      });
      outbox.wake();
      if (graceMs === 0) await finish(account.id, SYSTEM);
      return until;
    },

    /** The way back. @throws AppError not_found when it is too late, or there is nothing to come back from. */
    async restore(id: string, by: Origin): Promise<Account> {
      await db.write(function* () {
        if ((yield* store.reopen(id)) !== 1) {
          throw new AppError('not_found', { message: 'This account is not on its way out, or it is gone already.' });
        }
        yield* audit.record({ type: 'account.restored', account: id, by });
      });
      return (await store.byId(id)) as Account;
    },

    /** By an operator: at once, whatever state the account is in. @throws AppError not_found. */
    async remove(id: string, by: Origin = SYSTEM): Promise<void> {
      await db.write(function* () {
        if ((yield* store.close(id, Date.now(), ['active', 'disabled', 'closed'])) !== 1) {
          throw new AppError('not_found', { message: 'There is no such account.' });
        }
        yield* endSessions(id, { reason: 'account_deleted', by });
        yield* audit.record({ type: 'account.closed', account: id, by, details: { until: new Date().toISOString() } });
      });
      outbox.wake();
      await finish(id, by);
    },

    /** Removes at most `limit` accounts whose time is up. @returns how many. */
    async sweep(limit: number): Promise<number> {
      const ids = await store.due(limit);
      for (const id of ids) await finish(id, SYSTEM);
      return ids.length;
    },
  };
}

export type Deletion = ReturnType<typeof createDeletion>;
