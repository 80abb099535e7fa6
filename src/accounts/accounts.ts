/** What an account may do once it exists: prove its password, change it, describe itself; and what an operator does. */
import type { Database } from '../db/database.ts';
import { UniqueViolation } from '../db/database.ts';
import type { Steps } from '../db/statement.ts';
import { AppError } from '../errors.ts';
import type { Outbox } from '../jobs/outbox.ts';
import { canonicalEmail } from './email.ts';
import type { PasswordPolicy } from './password-policy.ts';
import type { Passwords } from './passwords.ts';
import { profileFaults } from './profile.ts';
import { newAccount } from './registration.ts';
import type { Account, AccountStore, Profile } from './store.ts';

export interface AccountsOptions {
  db: Database;
  store: AccountStore;
  outbox: Outbox;
  passwords: Passwords;
  policy: PasswordPolicy;
  serviceName: string;
  /** Steps that end every session of an account but what is kept. */
  endSessions(accountId: string, kept?: Kept): Steps<unknown>;
}

/** A browser session, or an app by its grant, that stays signed in. */
export interface Kept {
  session?: string | undefined;
  grant?: string | undefined;
}

/** Where a change came from, for the mail that tells of it. */
export interface Origin {
  ip: string | null;
  device: string;
}

export function createAccounts(options: AccountsOptions) {
  const { db, store, outbox, passwords, policy } = options;

  async function existing(id: string): Promise<Account> {
    const account = await store.byId(id);
    if (!account) throw new AppError('not_found', { message: 'There is no such account.' });
    return account;
  }

  async function notify(account: Account, template: string, data: object): Promise<void> {
    await db.write(function* () {
      yield* outbox.enqueue('mail', { template, to: account.emailCanonical, locale: account.profile.locale, data });
    });
    outbox.wake();
  }

  async function passwordChanged(account: Account, origin: Origin): Promise<void> {
    await notify(account, 'password-changed', { when: new Date().toISOString(), ip: origin.ip, device: origin.device });
  }

  return {
    byId: store.byId,
    list: store.list,
    existing,
    passwordChanged,

    async byEmail(input: string): Promise<Account | undefined> {
      const email = canonicalEmail(input);
      return email ? store.byEmail(email.canonical) : undefined;
    },

    /** An active account, as everything that issues or uses a token asks. */
    async living(id: string): Promise<Account | undefined> {
      const account = await store.byId(id);
      return account?.status === 'active' ? account : undefined;
    },

    /** Costs one Argon2 whoever is asked for. @throws AppError invalid_credentials, alike for every reason; busy. */
    async authenticate(input: { email: string; password: string }): Promise<Account> {
      const email = canonicalEmail(input.email);
      const account = email ? await store.byEmail(email.canonical) : undefined;
      const { valid, rehash } = await passwords.verify(account?.passwordHash ?? null, input.password);
      if (!valid || !account?.passwordHash || account.status !== 'active') {
        throw new AppError('invalid_credentials', { fields: [{ field: '', code: 'credentials' }] });
      }
      if (rehash) {
        const from = account.passwordHash;
        const to = await passwords.hash(input.password);
        await db.write(() => store.rehash(account.id, from, to));
      }
      return account;
    },

    /** Ends every session but `keep`. @throws AppError invalid_credentials, weak_password. */
    async changePassword(id: string, change: { current: string; next: string; keep?: Kept; origin: Origin }) {
      const account = await existing(id);
      const { valid } = await passwords.verify(account.passwordHash, change.current);
      if (!valid) {
        throw new AppError('invalid_credentials', { fields: [{ field: 'current_password', code: 'password_wrong' }] });
      }
      const about = { email: account.emailCanonical, name: account.profile.name ?? '', service: options.serviceName };
      const fields = policy.check(change.next, about).map((fault) => ({ ...fault, field: 'new_password' }));
      if (fields.length > 0) throw new AppError('weak_password', { fields });
      const hash = await passwords.hash(change.next);
      await db.write(function* () {
        yield* store.setPassword(id, hash);
        yield* options.endSessions(id, change.keep);
      });
      await passwordChanged(account, change.origin);
    },

    /** Changes the given members of the profile; null or blank clears one. */
    async changeProfile(id: string, changes: Partial<Profile>): Promise<Account> {
      const account = await existing(id);
      const given = Object.entries(changes).filter(([, value]) => value !== undefined);
      const clean = Object.fromEntries(given.map(([field, value]) => [field, value?.normalize('NFC').trim() || null]));
      const fields = profileFaults(clean);
      if (fields.length > 0) throw new AppError('invalid_request', { message: 'The profile is not accepted.', fields });
      await db.write(() => store.setProfile(id, { ...account.profile, ...clean }));
      return existing(id);
    },

    /** By an operator. Without a password the account is entered by "forgot password".
     * @throws AppError invalid_request, conflict. */
    async create(input: { email: string; name: string | null; password?: string | undefined; verified: boolean }) {
      const email = canonicalEmail(input.email);
      if (!email)
        throw new AppError('invalid_request', {
          message: 'This is not an e-mail address.',
          fields: [{ field: 'email', code: 'email_invalid' }],
        });
      const faults = profileFaults({ name: input.name });
      if (faults.length > 0)
        throw new AppError('invalid_request', {
          message: 'The name is one line of at most 200 characters.',
          fields: faults,
        });
      let passwordHash: string | null = null;
      if (input.password !== undefined) {
        const fields = policy.check(input.password, {
          email: email.canonical,
          name: input.name ?? '',
          service: options.serviceName,
        });
        if (fields.length > 0)
          throw new AppError('weak_password', { message: 'This password is refused by the password policy.', fields });
        passwordHash = await passwords.hash(input.password);
      }
      const account = newAccount({
        email: email.address,
        canonical: email.canonical,
        name: input.name,
        passwordHash,
        locale: null,
        verified: input.verified,
      });
      try {
        await db.write(() => store.insert(account));
      } catch (error) {
        if (!(error instanceof UniqueViolation)) throw error;
        throw new AppError('conflict', { message: `There is an account for ${email.address} already.`, cause: error });
      }
      return account;
    },

    async verify(id: string): Promise<Account> {
      await existing(id);
      await db.write(() => store.setEmailVerified(id));
      return existing(id);
    },

    /** A disabled account keeps its data; every session ends and nothing can be issued. */
    async disable(id: string): Promise<Account> {
      await existing(id);
      await db.write(function* () {
        yield* store.setStatus(id, 'disabled');
        yield* options.endSessions(id);
      });
      return existing(id);
    },

    async enable(id: string): Promise<Account> {
      await existing(id);
      await db.write(() => store.setStatus(id, 'active'));
      return existing(id);
    },

    async remove(id: string): Promise<void> {
      await existing(id);
      await db.write(function* () {
        yield* options.endSessions(id);
        yield* store.remove(id);
      });
    },
  };
}

export type Accounts = ReturnType<typeof createAccounts>;
