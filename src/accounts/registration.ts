/**
 * Becoming an account: nothing exists before the code that was mailed comes back in the same flow. A known address is
 * answered, timed and limited like an unknown one; its owner gets a mail that says so.
 */
import { randomUUID } from 'node:crypto';
import { type Origin, SYSTEM } from '../audit/events.ts';
import { UniqueViolation } from '../db/database.ts';
import { AppError, type FieldError } from '../errors.ts';
import type { Device } from '../limits/known-devices.ts';
import type { Challenge } from './challenge-store.ts';
import { canonicalEmail, domainAllowed } from './email.ts';
import type { AccountParts } from './parts.ts';
import { nameFaults } from './profile.ts';
import type { Asked } from './sign-in.ts';
import type { Account, Profile } from './store.ts';

export interface RegistrationRules {
  mode: 'open' | 'invite' | 'closed';
  domains: string[];
}

export interface RegistrationOptions extends Omit<AccountParts, 'passwords' | 'endSessions' | 'issuer'> {
  rules: RegistrationRules;
}

interface Pending {
  email: string;
  name: string;
  passwordHash: string | null;
  locale: string;
}

export function createRegistration(options: RegistrationOptions) {
  const { db, audit, store, challenges, outbox, newPasswords, rules } = options;

  /** @throws AppError invalid_request with every fault of the form at once. */
  async function checked(input: { email: string; name: string; password: string | null }, by: Origin) {
    const email = canonicalEmail(input.email);
    const fields: FieldError[] = [];
    if (!email) fields.push({ field: 'email', code: 'email_invalid' });
    else if (!domainAllowed(email.canonical, rules.domains)) fields.push({ field: 'email', code: 'email_domain' });
    const name = input.name.normalize('NFC').trim();
    fields.push(...nameFaults(name));
    const chooser = { email: email?.canonical ?? input.email, name, by };
    if (input.password !== null) fields.push(...(await newPasswords.faults(input.password, chooser)));
    if (!email || fields.length > 0) throw new AppError('invalid_request', { fields });
    return { email, name };
  }

  return {
    rules,

    /** Sends a code (or, to the owner of a known address, word of the attempt). Resolves alike in both cases. Null is
     * no password, where people sign in by mail.
     * @throws AppError invalid_request, registration_closed, too_many_attempts, busy. */
    async start(
      input: { flow: string; email: string; name: string; password: string | null; locale: string } & Asked,
    ): Promise<void> {
      const { by = SYSTEM, client } = input;
      if (rules.mode !== 'open') throw new AppError('registration_closed');
      const { email, name } = await checked(input, by);
      const passwordHash = input.password === null ? null : await newPasswords.hash(input.password);
      const pending: Pending = { email: email.address, name, passwordHash, locale: input.locale };
      await db.write(function* () {
        yield* send(email.canonical, input.flow, pending, input.device);
        // Not whose address it is: there may be nobody yet.
        const details = { address: audit.pseudonym(email.canonical) };
        yield* audit.record({ type: 'registration.started', client, by, details });
      });
      outbox.wake();
    },

    /** Another code for the same flow; the earlier one stops working. */
    async resend(flow: string, device?: Device): Promise<void> {
      const challenge = await challenges.pending(flow, ['register']);
      if (!challenge) throw new AppError('code_expired');
      const pending = challenges.dataOf<Pending>(challenge);
      await db.write(function* () {
        yield* send(challenge.sent_to, flow, pending, device);
      });
      outbox.wake();
    },

    /** Makes the account that a proved code belongs to. @throws AppError conflict when somebody was faster. */
    async complete(challenge: Challenge, asked: Asked = {}): Promise<Account> {
      const pending = challenges.dataOf<Pending>(challenge);
      const account = newAccount({ ...pending, canonical: challenge.sent_to, verified: true });
      try {
        await db.write(function* () {
          yield* challenges.consume(challenge);
          yield* store.insert(account);
          const { by = SYSTEM, client } = asked;
          yield* audit.record({ type: 'registration.completed', account: account.id, client, by });
        });
      } catch (error) {
        if (!(error instanceof UniqueViolation)) throw error;
        throw new AppError('conflict', { fields: [{ field: '', code: 'account_exists' }], cause: error });
      }
      return account;
    },
  };

  function* send(canonical: string, flow: string, pending: Pending, device: Device | undefined) {
    const known = (yield* store.findByEmail(canonical)) !== undefined;
    const request = {
      purpose: 'register' as const,
      flow,
      sentTo: canonical,
      accountId: null,
      data: pending,
      decoy: known,
      device,
    };
    const { code, expiresAt } = yield* challenges.issue(request);
    const mail = known
      ? { template: 'exists', data: {} }
      : { template: 'verify', data: { code, minutes: challenges.rules.minutes, name: pending.name } };
    const lifetime = known ? undefined : expiresAt - Date.now();
    yield* outbox.enqueue('mail', { ...mail, to: canonical, locale: pending.locale }, lifetime);
  }
}

export type Registration = ReturnType<typeof createRegistration>;

export interface NewAccount {
  email: string;
  canonical: string;
  name: string | null;
  passwordHash: string | null;
  locale: string | null;
  verified: boolean;
}

/** An id is random and never used again, also not after deletion and another registration. */
export function newAccount(input: NewAccount): Account {
  const now = Date.now();
  const nothing = { given_name: null, family_name: null, preferred_username: null, picture: null, zoneinfo: null };
  const profile: Profile = { ...nothing, name: input.name, locale: input.locale };
  return {
    id: `usr_${now.toString(16).padStart(12, '0')}${randomUUID().replaceAll('-', '')}`,
    email: input.email,
    emailCanonical: input.canonical,
    emailVerifiedAt: input.verified ? now : null,
    passwordHash: input.passwordHash,
    passwordChangedAt: input.passwordHash === null ? null : now,
    status: 'active',
    deleteAfter: null,
    signedOutAt: 0,
    profile,
    phoneNumber: null,
    address: null,
    createdAt: now,
    updatedAt: now,
  };
}
