/** The ways back in by mail: a new password by code, and the proof of an address that was never proved. */
import { SYSTEM } from '../audit/events.ts';
import { AppError } from '../errors.ts';
import type { Device } from '../limits/known-devices.ts';
import type { Challenge } from './challenge-store.ts';
import { canonicalEmail } from './email.ts';
import type { AccountParts } from './parts.ts';
import type { Asked } from './sign-in.ts';
import type { Account } from './store.ts';

export type RecoveryOptions = Omit<AccountParts, 'passwords' | 'issuer'>;

/** Who gets so far is no stranger: strangers' requests take nothing from this share. */
export const KNEW_THE_PASSWORD: Device = { known: () => 'password' };

interface Sending {
  canonical: string;
  flow: string;
  locale: string;
  device?: Device | undefined;
}

export function createRecovery(options: RecoveryOptions) {
  const { db, audit, store, challenges, outbox, newPasswords, attempts } = options;

  /** Steps: one code, real for an active account, a decoy for anybody else. */
  function* send(purpose: 'reset' | 'verify_email', { canonical, flow, locale, device }: Sending) {
    const account = yield* store.findByEmail(canonical);
    // A closed account is entered for the way back.
    const real = account !== undefined && account.status !== 'disabled';
    const request = {
      purpose,
      flow,
      sentTo: canonical,
      accountId: account?.id ?? null,
      data: { locale },
      decoy: !real,
      device,
    };
    const { code, expiresAt } = yield* challenges.issue(request);
    const data = { code, minutes: challenges.rules.minutes, name: account?.profile.name ?? null };
    const template = purpose === 'reset' ? 'reset' : 'verify';
    const nobody = { template: 'none', to: canonical, locale, data };
    yield* outbox.enqueue('mail', real ? { ...nobody, template } : nobody, expiresAt - Date.now());
  }

  /** Steps: a code proves the address that it was sent to, which may be another than the account's by now. */
  function* stillTheirs(challenge: Challenge) {
    const owner = yield* store.findByEmail(challenge.sent_to);
    if (owner?.id !== challenge.account_id)
      throw new AppError('code_expired', { fields: [{ field: 'code', code: 'code_expired' }] });
  }

  return {
    /** The same answer whoever is asked for. @throws AppError invalid_request, too_many_attempts. */
    async start(input: { flow: string; email: string; locale: string } & Asked): Promise<void> {
      const email = canonicalEmail(input.email);
      if (!email) throw new AppError('invalid_request', { fields: [{ field: 'email', code: 'email_invalid' }] });
      await db.write(function* () {
        yield* send('reset', { ...input, canonical: email.canonical });
        const account = (yield* store.findByEmail(email.canonical))?.id;
        const details = { purpose: 'reset', address: audit.pseudonym(email.canonical) };
        yield* audit.record({ type: 'code.sent', account, client: input.client, by: input.by ?? SYSTEM, details });
      });
      outbox.wake();
    },

    async resend(flow: string, purpose: 'reset' | 'verify_email', asking?: Device): Promise<void> {
      const challenge = await challenges.pending(flow, [purpose]);
      if (!challenge) throw new AppError('code_expired');
      const { locale } = challenges.dataOf<{ locale: string }>(challenge);
      await db.write(function* () {
        const device = purpose === 'verify_email' ? KNEW_THE_PASSWORD : asking;
        yield* send(purpose, { canonical: challenge.sent_to, flow, locale, device });
      });
      outbox.wake();
    },

    /** Sets the password that comes with a right code and ends every session. It signs nobody in. */
    async reset(input: { flow: string; code: string; password: string } & Asked): Promise<Account> {
      const by = input.by ?? SYSTEM;
      const pending = await challenges.pending(input.flow, ['reset']);
      // Hashed whatever the code is, so that a decoy costs what a real one does.
      const hash = await newPasswords.accept(input.password, { email: pending?.sent_to, by });
      const challenge = await challenges.prove(input.flow, ['reset'], input.code, by, input.device);
      const accountId = challenge.account_id as string;
      // Not before the code is right: a refusal would tell a stranger what the person is called.
      const name = (await store.byId(accountId))?.profile.name;
      const fields = newPasswords.ruled(input.password, { email: challenge.sent_to, name });
      if (fields.length > 0) throw new AppError('weak_password', { fields });
      await db.write(function* () {
        yield* challenges.consume(challenge);
        yield* stillTheirs(challenge);
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
        yield* send('verify_email', {
          ...input,
          canonical: input.account.emailCanonical,
          device: KNEW_THE_PASSWORD,
        });
      });
      outbox.wake();
    },

    async completeVerification(challenge: Challenge, asked: Asked = {}): Promise<Account> {
      const accountId = challenge.account_id as string;
      return db.write(function* () {
        yield* challenges.consume(challenge);
        yield* stillTheirs(challenge);
        yield* store.setEmailVerified(accountId);
        yield* audit.record({ type: 'account.verified', account: accountId, by: asked.by ?? SYSTEM });
        return (yield* store.lookUp(accountId)) as Account;
      });
    },
  };
}

export type Recovery = ReturnType<typeof createRecovery>;
