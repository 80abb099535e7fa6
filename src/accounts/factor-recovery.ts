/**
 * Getting rid of lost factors by oneself (SECURITY D3), off unless the operator sets a waiting time: password and a mailed
 * code begin it, both again finish it. In between everybody whom it concerns is told and can stop it. A password that is
 * younger than the waiting time counts for nothing: who reads the mail could have set it.
 */
import { newIdentifier } from '../artifacts/identifier.ts';
import { type Origin, SYSTEM } from '../audit/events.ts';
import type { Steps } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import type { Device } from '../limits/known-devices.ts';
import type { Challenge } from './challenge-store.ts';
import {
  createFactorRecoveryNotices,
  type FactorRecoveryNoticesOptions,
  LAPSES_MS,
} from './factor-recovery-notices.ts';
import type { FactorRecoveryRow, FactorRecoveryStore } from './factor-recovery-store.ts';
import { spentLink } from './links.ts';
import type { AccountParts } from './parts.ts';
import { KNEW_THE_PASSWORD } from './recovery.ts';
import type { Account } from './store.ts';

const DAY_MS = 86_400_000;
/** After the removal: the person may set up new factors, and nobody can take the account further. */
const HOLD_MS = DAY_MS;

export interface FactorRecoveryOptions
  extends Pick<AccountParts, 'db' | 'audit' | 'store' | 'challenges' | 'endSessions'>,
    FactorRecoveryNoticesOptions {
  recoveries: FactorRecoveryStore;
  /** Steps: all factors of the account go. */
  clearFactors(accountId: string): Steps<unknown>;
  /** 0: nobody can ask for it. */
  waitMs: number;
}

/** Where an account stands. Times are milliseconds since 1970. */
export type Standing =
  | { state: 'none' }
  /** The password is too young. */
  | { state: 'early'; from: number }
  | { state: 'offered' }
  | { state: 'waiting'; until: number }
  /** Can be finished until then. */
  | { state: 'ready'; until: number; id: string };

interface Asking {
  flow: string;
  by: Origin;
}

/** Ends of which the account is told by other mails, or not at all. `factors_changed`: by an operator's reset. */
const SILENT = new Set(['account_deleted', 'account_disabled', 'factors_changed']);

export function createFactorRecovery(options: FactorRecoveryOptions) {
  const { db, audit, store, recoveries, challenges, links, outbox, waitMs } = options;
  const { warn, tellOfEnd } = createFactorRecoveryNotices(options);

  const isOpen = (row: FactorRecoveryRow | undefined): row is FactorRecoveryRow =>
    waitMs > 0 && row !== undefined && row.finished_at === null && row.ends_at + LAPSES_MS > Date.now();
  const countsFrom = ({ passwordChangedAt }: Account) => (passwordChangedAt ?? Date.now()) + waitMs;

  async function standing(account: Account): Promise<Standing> {
    const row = waitMs === 0 ? undefined : await recoveries.of(account.id);
    if (isOpen(row)) {
      const { id, ends_at: until } = row;
      return until > Date.now() ? { state: 'waiting', until } : { state: 'ready', until: until + LAPSES_MS, id };
    }
    if (waitMs === 0 || row) return { state: 'none' };
    const from = countsFrom(account);
    return from > Date.now() ? { state: 'early', from } : { state: 'offered' };
  }

  /** Steps: nothing is removed. False where nothing was under way. */
  function* stop(accountId: string, { reason, by }: { reason: string; by: Origin }): Steps<boolean> {
    if ((yield* recoveries.remove(accountId)) !== 1) return false;
    yield* links.end(accountId, 'keep_factors', 0);
    yield* audit.record({ type: 'factor_recovery.stopped', account: accountId, by, details: { reason } });
    const account = yield* store.lookUp(accountId);
    if (account && !SILENT.has(reason)) yield* tellOfEnd(account, reason, by);
    return true;
  }

  async function stopNow(accountId: string, cause: { reason: string; by: Origin }): Promise<boolean> {
    const stopped = await db.write(() => stop(accountId, cause));
    outbox.wake();
    return stopped;
  }

  async function start(challenge: Challenge, account: Account, by: Origin): Promise<void> {
    const now = Date.now();
    const times = { requested_at: now, ends_at: now + waitMs, reminded_at: null, finished_at: null };
    const row = { id: newIdentifier(), account_id: account.id, ...times };
    await db.write(function* () {
      yield* challenges.consume(challenge);
      const current = yield* store.lookUp(account.id);
      if (!current || waitMs === 0 || countsFrom(current) > now) throw over();
      if ((yield* recoveries.insert(row)) !== 1) throw over();
      const details = { until: new Date(row.ends_at).toISOString() };
      yield* audit.record({ type: 'factor_recovery.started', account: account.id, by, details });
      yield* warn('started', current, row, by);
    });
  }

  async function finish(id: string, challenge: Challenge, account: Account, { flow, by }: Asking): Promise<void> {
    await db.write(function* () {
      yield* challenges.consume(challenge);
      if ((yield* recoveries.finish(account.id, id, Date.now() - LAPSES_MS)) !== 1 || waitMs === 0) throw over();
      yield* links.end(account.id, 'keep_factors', 0);
      yield* options.clearFactors(account.id);
      yield* options.endSessions(account.id, { reason: 'factors_changed', by }, { flow });
      yield* audit.record({ type: 'factor_recovery.finished', account: account.id, by });
      yield* tellOfEnd(account, 'finished', by);
    });
  }

  async function remind(limit: number): Promise<number> {
    const rows = waitMs === 0 ? [] : await recoveries.toRemind(limit);
    for (const row of rows) {
      await db.write(function* () {
        const account = yield* store.lookUp(row.account_id);
        if (account && (yield* recoveries.remind(row.id)) === 1) yield* warn('reminder', account, row);
      });
    }
    return rows.length;
  }

  async function lapse(limit: number): Promise<number> {
    const rows = await recoveries.openBefore(waitMs === 0 ? Number.MAX_SAFE_INTEGER : Date.now() - LAPSES_MS, limit);
    const reason = waitMs === 0 ? 'switched_off' : 'lapsed';
    for (const { account_id: id } of rows) await db.write(() => stop(id, { reason, by: SYSTEM }));
    return rows.length;
  }

  return {
    waitMs,
    standing,
    stop,

    /** A waiting time that is under way; null: none. */
    async open(accountId: string): Promise<{ requestedAt: number; endsAt: number } | null> {
      const row = waitMs === 0 ? undefined : await recoveries.of(accountId);
      return isOpen(row) ? { requestedAt: row.requested_at, endsAt: row.ends_at } : null;
    },

    /** Mails the code that begins or finishes it. @throws AppError conflict, too_many_attempts. */
    async sendCode(account: Account, { flow, by, locale }: Asking & { locale: string }): Promise<void> {
      const now = await standing(account);
      if (now.state !== 'offered' && now.state !== 'ready') throw over();
      const { emailCanonical: to, profile } = account;
      const request: Sealed = { id: now.state === 'ready' ? now.id : null };
      await db.write(function* () {
        const asked = { purpose: 'factor_recovery' as const, flow, sentTo: to, accountId: account.id, data: request };
        const { code, expiresAt } = yield* challenges.issue({ ...asked, decoy: false, device: KNEW_THE_PASSWORD });
        const data = { code, minutes: challenges.rules.minutes, ready: now.state === 'ready' };
        const mail = { template: 'factor-recovery-code', to, locale: profile.locale ?? locale, data };
        yield* outbox.enqueue('mail', mail, expiresAt - Date.now());
        const details = { purpose: 'factor_recovery', address: audit.pseudonym(to) };
        yield* audit.record({ type: 'code.sent', account: account.id, by, details });
      });
      outbox.wake();
    },

    /** What the code that is awaited in this flow will do. */
    async awaited(account: Account, flow: string): Promise<'start' | 'finish' | undefined> {
      const challenge = await challenges.pending(flow, ['factor_recovery']);
      if (!challenge || challenge.account_id !== account.id || challenge.consumed_at !== null) return undefined;
      return challenges.dataOf<Sealed>(challenge).id === null ? 'start' : 'finish';
    },

    /** The code: exactly one caller begins or finishes. A code of before a stop begins nothing.
     * @throws AppError invalid_code, code_expired, too_many_attempts, conflict. */
    async prove(account: Account, { flow, code, by, device }: Asking & { code: string; device?: Device }) {
      const challenge = await challenges.prove(flow, ['factor_recovery'], code, by, device);
      if (challenge.account_id !== account.id || challenge.sent_to !== account.emailCanonical) throw over();
      const { id } = challenges.dataOf<Sealed>(challenge);
      if (id === null) await start(challenge, account, by);
      else await finish(id, challenge, account, { flow, by });
      outbox.wake();
      return id === null ? ('started' as const) : ('finished' as const);
    },

    /** A factor was used: they are not lost. */
    async factorUsed(accountId: string, by: Origin): Promise<void> {
      if (waitMs > 0 && (await recoveries.of(accountId))) await stopNow(accountId, { reason: 'factor_used', by });
    },

    /** By somebody who is signed in. */
    stopBy: (accountId: string, by: Origin) => stopNow(accountId, { reason: 'stopped_signed_in', by }),

    /** What the link of a mail is about; opening it changes nothing. @throws AppError code_expired. */
    async openLink(token: string): Promise<{ requestedAt: number; endsAt: number }> {
      const link = await links.find('keep_factors', token);
      const row = link && (await recoveries.of(link.account_id as string));
      if (!row || row.finished_at !== null) throw spentLink();
      return { requestedAt: row.requested_at, endsAt: row.ends_at };
    },

    /** @throws AppError code_expired. */
    async stopByLink(token: string, by: Origin): Promise<void> {
      const link = await links.find('keep_factors', token);
      if (!link) throw spentLink();
      await db.write(function* () {
        yield* links.consume(link);
        const cause = { reason: 'stopped_by_link', by };
        if (!(yield* stop(link.account_id as string, cause))) throw spentLink();
      });
      outbox.wake();
    },

    /** Refuses, for a day after a removal, what would take the account from who had the factors. @throws AppError conflict. */
    async requireSettled(accountId: string): Promise<void> {
      const finishedAt = (await recoveries.of(accountId))?.finished_at ?? null;
      if (finishedAt === null || finishedAt + HOLD_MS <= Date.now()) return;
      const hours = Math.ceil((finishedAt + HOLD_MS - Date.now()) / 3_600_000);
      throw new AppError('conflict', {
        message: `Lost factors were removed from this account. This is possible again in ${hours} hours.`,
        fields: [{ field: '', code: 'factors_recovered', values: { hours } }],
      });
    },

    /** Reminders, ends that nobody came for, and rows that have had their day. */
    sweep: async (limit: number): Promise<number> =>
      Math.max(await remind(limit), await lapse(limit), await recoveries.purge(Date.now() - HOLD_MS, limit)),
  };
}

export type FactorRecovery = ReturnType<typeof createFactorRecovery>;

/** The waiting time that the code finishes; null: it begins one. */
interface Sealed {
  id: string | null;
}

function over(): AppError {
  return new AppError('conflict', {
    message: 'This is not possible now. Start again from the page of your second step.',
    fields: [{ field: '', code: 'conflict' }],
  });
}
