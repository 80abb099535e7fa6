/**
 * "This wasn't me": a link of a mail, good for a week and for once, that needs no sign-in. It ends every session and
 * grant, makes every browser be asked again, and takes the password away, so that a new one has to be chosen by mail.
 */
import type { Recorder } from '../audit/audit.ts';
import type { Origin } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import type { Outbox } from '../jobs/outbox.ts';
import { type Links, spentLink } from './links.ts';
import type { Account, AccountStore } from './store.ts';

export const DISOWN_MS = 7 * 86_400_000;

export interface DisowningOptions {
  db: Database;
  audit: Pick<Recorder, 'record'>;
  store: AccountStore;
  outbox: Outbox;
  links: Links;
  endSessions(accountId: string, cause: { reason: 'disowned'; by: Origin }): Steps<unknown>;
}

/** The sign-in that the mail told of. `when` is ISO 8601. */
export interface Disowned {
  when: string;
  device: string;
  ip: string | null;
  place: string | null;
}

export function createDisowning({ db, audit, store, outbox, links, endSessions }: DisowningOptions) {
  async function linkOf(token: string) {
    const link = await links.find('disown', token);
    if (!link) throw spentLink();
    return link;
  }

  return {
    /** What the link is about; opening it changes nothing. @throws AppError code_expired. */
    async open(token: string): Promise<Disowned> {
      return links.dataOf<Disowned>(await linkOf(token));
    },

    /** Resolves with the account as it is now: without a password. @throws AppError code_expired. */
    async disown(token: string, by: Origin): Promise<Account> {
      const link = await linkOf(token);
      const id = link.account_id as string;
      const account = await db.write(function* () {
        yield* links.consume(link);
        // Mails of earlier sign-ins told of what has ended with this.
        yield* links.end(id, 'disown', 0);
        yield* store.clearPassword(id);
        yield* endSessions(id, { reason: 'disowned', by });
        yield* audit.record({ type: 'sign_in.disowned', account: id, by });
        const found = yield* store.lookUp(id);
        if (!found) throw spentLink();
        const data = { when: new Date().toISOString(), device: by.device, ip: by.ip };
        const mail = { template: 'disowned', to: found.emailCanonical, locale: found.profile.locale, data };
        yield* outbox.enqueue('mail', mail);
        return found;
      });
      outbox.wake();
      return account;
    },
  };
}

export type Disowning = ReturnType<typeof createDisowning>;
