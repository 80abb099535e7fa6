/**
 * What people are told of their sign-ins (ASVS 6.3.5): one in a browser that nobody knows, one after failures, a right
 * password that got no further. Each mail has a link that says "this wasn't me" (disowning.ts).
 */

import { type Origin, SYSTEM } from '../audit/events.ts';
import type { AuditLog } from '../audit/log.ts';
import type { Database } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import type { Outbox } from '../jobs/outbox.ts';
import type { SqlWindows } from '../limits/window-store.ts';
import { DISOWN_MS } from './disowning.ts';
import type { Links } from './links.ts';
import { type Asked, signInOf } from './sign-in.ts';
import type { Account, AccountStore } from './store.ts';

export interface SignInNoticesOptions {
  db: Database;
  store: Pick<AccountStore, 'lookUp'>;
  audit: Pick<AuditLog, 'outcomes' | 'record'>;
  outbox: Outbox;
  links: Links;
  windows: Pick<SqlWindows, 'hit'>;
  issuer: string;
  /** Where an address is, in words; null where nothing is known. */
  placeOf(ip: string | null, locale: string | null): string | null;
}

export interface Done extends Asked {
  amr: string[];
  /** The account's (`signedOutAt`) when the sign-in began. */
  epoch: number;
  /** Whether this browser signed in to the account before. */
  known: boolean;
}

/** Entries of the record that are looked at. */
const LOOK_BACK = 30;
/** So many failures since the last sign-in are worth a mail, also in a browser that is known. */
const SEVERAL = 3;
const HOUR_MS = 3_600_000;
const FAILURES = new Set<string>(['sign_in.failed', 'factor.failed', 'code.failed']);
const BEGINNINGS = new Set<string>(['registration.completed', 'account.created']);

export type NoticeTemplate = 'new-device' | 'after-failures' | 'half-way';

export function createSignInNotices(options: SignInNoticesOptions) {
  const { db, store, audit, outbox, links, windows, issuer, placeOf } = options;

  function* mail(template: NoticeTemplate, account: Account, by: Origin, more: object = {}): Steps<void> {
    const { locale, zoneinfo } = account.profile;
    const when = new Date().toISOString();
    const place = placeOf(by.ip, locale);
    const about = { when, device: by.device, ip: by.ip, place };
    const token = yield* links.issue({
      purpose: 'disown',
      sentTo: account.emailCanonical,
      accountId: account.id,
      data: about,
      lifetimeMs: DISOWN_MS,
    });
    const link = `${issuer}/security/not-me/${token}`;
    const data = { ...about, link, ...(zoneinfo ? { timeZone: zoneinfo } : {}), ...more };
    yield* outbox.enqueue('mail', { template, to: account.emailCanonical, locale, data });
  }

  return {
    /** Records a sign-in that has succeeded, and tells its owner where that is due, in one unit of work.
     * @throws AppError interaction_expired when everything of the account was ended since it began. */
    async signedIn(account: Account, done: Done): Promise<void> {
      const { by = SYSTEM } = done;
      const items = await audit.outcomes(account.id, LOOK_BACK);
      const last = items.findIndex(({ type }) => type === 'sign_in.succeeded');
      const since = last === -1 ? items : items.slice(0, last);
      const failures = since.filter(isFailure).length;
      const first = last === -1 && items.some(({ type }) => BEGINNINGS.has(type));
      await db.write(function* () {
        if ((yield* store.lookUp(account.id))?.signedOutAt !== done.epoch) throw signedOut();
        yield* audit.record(signInOf(account.id, done));
        if (!done.known && !first) yield* mail('new-device', account, by);
        else if (failures >= SEVERAL) yield* mail('after-failures', account, by, { failures });
      });
      outbox.wake('mail');
    },

    /** The first step was right and the second was not: at most one mail an hour. */
    async halfWay(account: Account, by: Origin): Promise<void> {
      if ((await windows.hit(`notice half-way|${account.id}`, HOUR_MS)) > 1) return;
      await db.write(() => mail('half-way', account, by));
      outbox.wake('mail');
    },
  };
}

function signedOut(): AppError {
  const message = 'The account was signed out everywhere while this sign-in was under way. Sign in again.';
  return new AppError('interaction_expired', { message });
}

export type SignInNotices = ReturnType<typeof createSignInNotices>;

const isFailure = ({ type, outcome }: { type: string; outcome: string }) => outcome === 'failure' && FAILURES.has(type);
