/**
 * The way back after an address was changed by somebody else: a link to the old address, for a week and once. It puts the
 * address back, ends every session, voids the password and leads to a new one. The older of two links wins, so that who
 * changed the address twice holds no key to it.
 */
import { type Origin, SYSTEM } from '../audit/events.ts';
import { UniqueViolation } from '../db/database.ts';
import { AppError } from '../errors.ts';
import { displayEmail } from './email.ts';
import { spentLink } from './links.ts';
import type { AccountParts } from './parts.ts';
import type { Account } from './store.ts';

export const RESTORE_DAYS = 7;
const DAY_MS = 86_400_000;
const PASSWORD_MS = 3_600_000;

interface Before {
  email: string;
  verifiedAt: number | null;
}

/** Steps of the change: yields the address of the page that undoes it. */
export function* issueWayBack({ links, issuer }: Pick<AccountParts, 'links' | 'issuer'>, account: Account) {
  const data: Before = { email: account.email, verifiedAt: account.emailVerifiedAt };
  const link = { purpose: 'restore_email' as const, sentTo: account.emailCanonical, accountId: account.id };
  const token = yield* links.issue({ ...link, data, lifetimeMs: RESTORE_DAYS * DAY_MS });
  return `${issuer}/email/restore/${token}`;
}

export function createEmailRestore({ db, audit, store, links, newPasswords, outbox, endSessions }: AccountParts) {
  async function linkOf(purpose: 'restore_email' | 'restore_password', token: string) {
    const link = await links.find(purpose, token);
    if (!link) throw spentLink();
    return { link, id: link.account_id as string };
  }

  return {
    /** What the page of a link shows. @throws AppError code_expired. */
    async find(token: string): Promise<{ email: string }> {
      const { link } = await linkOf('restore_email', token);
      return { email: displayEmail(links.dataOf<Before>(link).email) };
    },

    /** Resolves with the token of the page for a new password. @throws AppError code_expired, conflict. */
    async restore(token: string, by: Origin = SYSTEM): Promise<string> {
      const { link, id } = await linkOf('restore_email', token);
      const before = links.dataOf<Before>(link);
      const to = { ...before, canonical: link.sent_to };
      try {
        const next = await db.write(function* () {
          yield* links.consume(link);
          yield* links.end(id, 'restore_email', link.created_at);
          const now = yield* store.lookUp(id);
          if (!now || (yield* store.setEmail(id, now.emailCanonical, to)) !== 1) throw spentLink();
          yield* store.setPassword(id, null);
          // Who took the account may also have deleted it.
          yield* store.reopen(id);
          yield* endSessions(id, { reason: 'email_restored', by });
          const details = { from: audit.pseudonym(now.emailCanonical), to: audit.pseudonym(to.canonical) };
          yield* audit.record({ type: 'email.restored', account: id, by, details });
          const password = { purpose: 'restore_password' as const, sentTo: to.canonical, accountId: id, data: null };
          return yield* links.issue({ ...password, lifetimeMs: PASSWORD_MS });
        });
        outbox.wake();
        return next;
      } catch (error) {
        if (!(error instanceof UniqueViolation)) throw error;
        throw new AppError('conflict', { message: 'Another account has this address by now.', cause: error });
      }
    },

    /** Whom the page for a new password is about. @throws AppError code_expired. */
    async findPassword(token: string): Promise<{ email: string }> {
      const { link } = await linkOf('restore_password', token);
      return { email: displayEmail(link.sent_to) };
    },

    /** @throws AppError code_expired, weak_password. */
    async setPassword(token: string, password: string, by: Origin = SYSTEM): Promise<Account> {
      const { link, id } = await linkOf('restore_password', token);
      const name = (await store.byId(id))?.profile.name;
      const hash = await newPasswords.accept(password, { email: link.sent_to, name, account: id, by });
      await db.write(function* () {
        yield* links.consume(link);
        if ((yield* store.lookUp(id))?.emailCanonical !== link.sent_to) throw spentLink();
        yield* store.setPassword(id, hash);
        yield* endSessions(id, { reason: 'password_reset', by });
        yield* audit.record({ type: 'password.reset', account: id, by });
      });
      outbox.wake();
      return (await store.byId(id)) as Account;
    },
  };
}

export type EmailRestore = ReturnType<typeof createEmailRestore>;
