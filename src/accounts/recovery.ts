/** The ways back in by mail: a new password by code, and the proof of an address that was never proved. */
import type { Recorder } from '../audit/audit.ts';
import { type Origin, SYSTEM } from '../audit/events.ts';
import type { Database } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import type { Outbox } from '../jobs/outbox.ts';
import type { AccountAttempts } from '../limits/account-attempts.ts';
import type { Challenges } from './challenges.ts';
import { canonicalEmail } from './email.ts';
import type { PasswordPolicy } from './password-policy.ts';
import type { Passwords } from './passwords.ts';
import type { Asked } from './sign-in.ts';
import type { Account, AccountStore } from './store.ts';

export interface RecoveryOptions {
  db: Database;
  audit: Recorder;
  store: AccountStore;
  challenges: Challenges;
  outbox: Outbox;
  passwords: Passwords;
  policy: PasswordPolicy;
  attempts: Pick<AccountAttempts, 'forgive'>;
  serviceName: string;
  /** Steps that end every session of an account. */
  endSessions(accountId: string, cause: { reason: 'password_reset'; by: Origin }): Steps<unknown>;
}

export function createRecovery(options: RecoveryOptions) {
  const { db, audit, store, challenges, outbox, passwords, policy, attempts } = options;

  /** Steps: one code, real for an active account, a decoy for anybody else. */
  function* send(purpose: 'reset' | 'verify_email', canonical: string, flow: string, locale: string) {
    const account = yield* store.findByEmail(canonical);
    const real = account?.status === 'active';
    const request = {
      purpose,
      flow,
      sentTo: canonical,
      accountId: account?.id ?? null,
      data: { locale },
      decoy: !real,
    };
    const { code, expiresAt } = yield* challenges.issue(request);
    const data = { code, minutes: challenges.rules.minutes, name: account?.profile.name ?? null };
    const template = purpose === 'reset' ? 'reset' : 'verify';
    const nobody = { template: 'none', to: canonical, locale, data };
    yield* outbox.enqueue('mail', real ? { ...nobody, template } : nobody, expiresAt - Date.now());
  }

  return {
    /** The same answer whoever is asked for. @throws AppError invalid_request, too_many_attempts. */
    async start(input: { flow: string; email: string; locale: string } & Asked): Promise<void> {
      const email = canonicalEmail(input.email);
      if (!email) throw new AppError('invalid_request', { fields: [{ field: 'email', code: 'email_invalid' }] });
      await db.write(function* () {
        yield* send('reset', email.canonical, input.flow, input.locale);
        const account = (yield* store.findByEmail(email.canonical))?.id;
        const details = { purpose: 'reset', address: audit.pseudonym(email.canonical) };
        yield* audit.record({ type: 'code.sent', account, client: input.client, by: input.by ?? SYSTEM, details });
      });
      outbox.wake();
    },

    async resend(flow: string, purpose: 'reset' | 'verify_email'): Promise<void> {
      const challenge = await challenges.pending(flow, [purpose]);
      if (!challenge) throw new AppError('code_expired');
      const { locale } = challenges.dataOf<{ locale: string }>(challenge);
      await db.write(function* () {
        yield* send(purpose, challenge.sent_to, flow, locale);
      });
      outbox.wake();
    },

    /** Sets the password that comes with a right code and ends every session. It signs nobody in. */
    async reset(input: { flow: string; code: string; password: string; by?: Origin }): Promise<Account> {
      const by = input.by ?? SYSTEM;
      const pending = await challenges.pending(input.flow, ['reset']);
      const about = { email: pending?.sent_to ?? '', service: options.serviceName };
      const fields = policy.check(input.password, about);
      if (fields.length > 0) throw new AppError('weak_password', { fields });
      // Hashed whatever the code is, so that a decoy costs what a real one does.
      const hash = await passwords.hash(input.password);
      const challenge = await challenges.prove(input.flow, ['reset'], input.code, by);
      const accountId = challenge.account_id as string;
      await db.write(function* () {
        yield* challenges.consume(challenge);
        yield* store.setPassword(accountId, hash);
        yield* store.setEmailVerified(accountId);
        // The owner is back, and the password that was guessed at is gone.
        yield* attempts.forgive(challenge.sent_to, ['password', 'code']);
        yield* options.endSessions(accountId, { reason: 'password_reset', by });
        yield* audit.record({ type: 'password.reset', account: accountId, by });
      });
      outbox.wake();
      return (await store.byId(accountId)) as Account;
    },

    /** After a right password of an account whose address was never proved. */
    async startVerification(input: { flow: string; account: Account; locale: string }): Promise<void> {
      await db.write(function* () {
        yield* send('verify_email', input.account.emailCanonical, input.flow, input.locale);
      });
      outbox.wake();
    },

    async completeVerification(
      challenge: Awaited<ReturnType<Challenges['prove']>>,
      asked: Asked = {},
    ): Promise<Account> {
      const accountId = challenge.account_id as string;
      await db.write(function* () {
        yield* challenges.consume(challenge);
        yield* store.setEmailVerified(accountId);
        yield* audit.record({ type: 'account.verified', account: accountId, by: asked.by ?? SYSTEM });
      });
      return (await store.byId(accountId)) as Account;
    },
  };
}

export type Recovery = ReturnType<typeof createRecovery>;
