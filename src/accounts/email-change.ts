/**
 * Another e-mail address: a code at the new one, bound to the account, the session that asked and the address; then word
 * to the old one with a way back (email-restore.ts). An address that somebody else has is answered like a free one.
 */
import type { Origin } from '../audit/events.ts';
import { UniqueViolation } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import { canonicalEmail, displayEmail, domainAllowed } from './email.ts';
import { issueWayBack, RESTORE_DAYS } from './email-restore.ts';
import type { AccountParts, Kept } from './parts.ts';
import type { Account } from './store.ts';

export interface EmailChangeOptions extends AccountParts {
  /** How many codes an account may ask for in a day, to whatever addresses. */
  perDay: number;
  askedSince(accountId: string, since: number): Steps<number>;
  /** Refuses while nothing may be taken from the account. */
  requireSettled(accountId: string): Promise<void>;
  /** Mail domains that may be used here; all when empty. */
  domains: string[];
}

interface Wanted {
  /** As it was typed, but for the domain. */
  email: string;
  /** The canonical address that the account had when this was asked for. */
  from: string;
  locale: string;
}

const DAY_MS = 86_400_000;

export function createEmailChange(options: EmailChangeOptions) {
  const { db, audit, store, challenges, outbox } = options;

  /** Steps: a code to an address that is free, word to the owner of one that is not. */
  function* send(account: Account, flow: string, canonical: string, wanted: Wanted) {
    if ((yield* options.askedSince(account.id, Date.now() - DAY_MS)) >= options.perDay) {
      throw new AppError('too_many_attempts', {
        message: 'Many codes were asked for already. Try again tomorrow.',
        fields: [{ field: '', code: 'too_many_attempts' }],
        retryAfter: DAY_MS / 1000,
      });
    }
    const taken = (yield* store.findByEmail(canonical)) !== undefined;
    const request = { purpose: 'change_email' as const, flow, sentTo: canonical, accountId: account.id };
    const { code, expiresAt } = yield* challenges.issue({ ...request, data: wanted, decoy: taken });
    const data = { code, minutes: challenges.rules.minutes };
    const mail = taken ? { template: 'exists', data: { change: true } } : { template: 'change-email', data };
    const lifetime = taken ? undefined : expiresAt - Date.now();
    yield* outbox.enqueue('mail', { ...mail, to: canonical, locale: wanted.locale }, lifetime);
  }

  async function awaited(account: Account, flow: string) {
    const challenge = await challenges.pending(flow, ['change_email']);
    return challenge?.account_id === account.id && challenge.consumed_at === null ? challenge : undefined;
  }

  return {
    /** Sends the code; `done` where only capitals change. `flow` is the session or the app that asks. @throws AppError invalid_request,
     * too_many_attempts, conflict; the same for an address that somebody has. */
    async start(
      account: Account,
      input: { flow: string; email: string; locale: string; by: Origin },
    ): Promise<'code_sent' | 'done'> {
      const email = canonicalEmail(input.email);
      const code = !email
        ? 'email_invalid'
        : email.address === account.email
          ? 'email_same'
          : domainAllowed(email.canonical, options.domains)
            ? undefined
            : 'email_domain';
      if (!email || code) {
        throw new AppError('invalid_request', {
          message: 'This address can not be used.',
          fields: [{ field: 'email', code: code as string }],
        });
      }
      if (email.canonical === account.emailCanonical) {
        await respell(account, email.address, input.by);
        return 'done';
      }
      await options.requireSettled(account.id);
      const wanted: Wanted = { email: email.address, from: account.emailCanonical, locale: input.locale };
      await db.write(function* () {
        yield* send(account, input.flow, email.canonical, wanted);
        const details = { purpose: 'change_email', address: audit.pseudonym(email.canonical) };
        yield* audit.record({ type: 'code.sent', account: account.id, by: input.by, details });
      });
      outbox.wake();
      return 'code_sent';
    },

    /** The address whose code is awaited in this session, as it is shown. */
    async pending(account: Account, flow: string): Promise<string | undefined> {
      const challenge = await awaited(account, flow);
      return challenge && displayEmail(challenges.dataOf<Wanted>(challenge).email);
    },

    /** Another code to the same address; the earlier one stops working. @throws AppError code_expired. */
    async resend(account: Account, flow: string): Promise<void> {
      const challenge = await awaited(account, flow);
      if (!challenge) throw spentCode();
      const wanted = challenges.dataOf<Wanted>(challenge);
      await db.write(() => send(account, flow, challenge.sent_to, wanted));
      outbox.wake();
    },

    /** Changes the address, ends every session but `keep`, and tells the old address. @throws AppError invalid_code,
     * code_expired, conflict when the address found another owner meanwhile. */
    async confirm(account: Account, input: { flow: string; code: string; keep: Kept; by: Origin }): Promise<Account> {
      const { by, keep } = input;
      await options.requireSettled(account.id);
      const challenge = await challenges.prove(input.flow, ['change_email'], input.code, by);
      if (challenge.account_id !== account.id) throw spentCode();
      const { email, from } = challenges.dataOf<Wanted>(challenge);
      const to = { email, canonical: challenge.sent_to, verifiedAt: Date.now() };
      try {
        await db.write(function* () {
          yield* challenges.consume(challenge);
          if ((yield* store.setEmail(account.id, from, to)) !== 1) throw spentCode();
          yield* options.endSessions(account.id, { reason: 'email_changed', by }, keep);
          const details = { from: audit.pseudonym(from), to: audit.pseudonym(to.canonical) };
          yield* audit.record({ type: 'email.changed', account: account.id, by, details });
          const link = yield* issueWayBack(options, account);
          const told = { when: new Date().toISOString(), ip: by.ip, device: by.device };
          const data = { ...told, address: displayEmail(email), link, days: RESTORE_DAYS };
          const mail = { template: 'email-changed', to: from, locale: account.profile.locale, data };
          yield* outbox.enqueue('mail', mail, RESTORE_DAYS * DAY_MS);
        });
      } catch (error) {
        if (!(error instanceof UniqueViolation)) throw error;
        throw new AppError('conflict', {
          message: 'Another account has this address by now.',
          fields: [{ field: '', code: 'email_taken' }],
          cause: error,
        });
      }
      outbox.wake();
      return (await store.byId(account.id)) as Account;
    },
  };

  /** The same mailbox in other capitals: nothing to prove. */
  async function respell(account: Account, email: string, by: Origin): Promise<void> {
    const { emailCanonical: canonical, emailVerifiedAt: verifiedAt } = account;
    await db.write(function* () {
      yield* store.setEmail(account.id, canonical, { email, canonical, verifiedAt });
      yield* audit.record({ type: 'account.profile_changed', account: account.id, by, details: { fields: ['email'] } });
    });
  }
}

function spentCode(): AppError {
  return new AppError('code_expired', {
    message: 'No code is awaited here, or it has expired or was used already. Ask for a new one.',
    fields: [{ field: 'code', code: 'code_expired' }],
  });
}

export type EmailChange = ReturnType<typeof createEmailChange>;
