/** What an account may do once it exists: prove its password, change it, describe itself; and what an operator does. */
import { type Origin, SYSTEM } from '../audit/events.ts';
import { UniqueViolation } from '../db/database.ts';
import { AppError } from '../errors.ts';
import { createAuthentication } from './authentication.ts';
import { canonicalEmail } from './email.ts';
import type { AccountParts, Kept } from './parts.ts';
import { profileFaults } from './profile.ts';
import { newAccount } from './registration.ts';
import type { Account, Profile } from './store.ts';

export type { Origin };

export type AccountsOptions = Omit<AccountParts, 'challenges' | 'issuer'>;

export function createAccounts(options: AccountsOptions) {
  const { db, audit, store, outbox, newPasswords } = options;
  const { authenticate, isPasswordOf } = createAuthentication(options);

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
    authenticate,
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

    /** One that may be signed in to: a closed account is on the way back then. */
    async enterable(id: string): Promise<Account | undefined> {
      const account = await store.byId(id);
      return account?.status === 'disabled' ? undefined : account;
    },

    /** Ends every session but `keep`, which must be alive at the commit. @throws AppError invalid_credentials, also where
     * another change was first; weak_password, too_many_attempts, unauthenticated. */
    async changePassword(id: string, change: { current: string; next: string; keep?: Kept; origin: Origin }) {
      const account = await existing(id);
      const { session, grant } = change.keep ?? {};
      const right = await isPasswordOf(account, change.current, change.origin, session ?? grant);
      if (!right) {
        await audit.note({ type: 'password.change_failed', outcome: 'failure', account: id, by: change.origin });
        throw notCurrent();
      }
      const chooser = { email: account.emailCanonical, name: account.profile.name, account: id, by: change.origin };
      const hash = await newPasswords.accept(change.next, chooser, 'new_password');
      await db.write(function* () {
        if ((yield* store.replacePassword(account, hash)) !== 1) throw notCurrent();
        yield* options.endSessions(id, { reason: 'password_changed', by: change.origin }, change.keep);
        yield* audit.record({ type: 'password.changed', account: id, by: change.origin });
      });
      await passwordChanged(account, change.origin);
    },

    /** Changes the given members of the profile; null or blank clears one. */
    async changeProfile(id: string, changes: Partial<Profile>, by: Origin = SYSTEM): Promise<Account> {
      await existing(id);
      const given = Object.entries(changes).filter(([, value]) => value !== undefined);
      const clean = Object.fromEntries(given.map(([field, value]) => [field, value?.normalize('NFC').trim() || null]));
      const fields = profileFaults(clean);
      if (fields.length > 0) throw new AppError('invalid_request', { message: 'The profile is not accepted.', fields });
      const details = { fields: given.map(([field]) => field) };
      await db.write(function* () {
        yield* store.setProfile(id, clean);
        yield* audit.record({ type: 'account.profile_changed', account: id, by, details });
      });
      return existing(id);
    },

    /** By an operator. Without a password the account is entered by "forgot password".
     * @throws AppError invalid_request, conflict. */
    async create(
      input: { email: string; name: string | null; password?: string | undefined; verified: boolean },
      by: Origin = SYSTEM,
    ) {
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
        const { name } = input;
        passwordHash = await newPasswords.accept(input.password, { email: email.canonical, name, by });
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
        await db.write(function* () {
          yield* store.insert(account);
          yield* audit.record({ type: 'account.created', account: account.id, by });
        });
      } catch (error) {
        if (!(error instanceof UniqueViolation)) throw error;
        throw new AppError('conflict', { message: `There is an account for ${email.address} already.`, cause: error });
      }
      return account;
    },

    async verify(id: string, by: Origin = SYSTEM): Promise<Account> {
      await existing(id);
      await db.write(function* () {
        yield* store.setEmailVerified(id);
        yield* audit.record({ type: 'account.verified', account: id, by });
      });
      return existing(id);
    },

    /** A disabled account keeps its data; every session ends and nothing can be issued. */
    async disable(id: string, by: Origin = SYSTEM): Promise<Account> {
      open(await existing(id));
      await db.write(function* () {
        yield* store.setStatus(id, 'disabled');
        yield* options.endSessions(id, { reason: 'account_disabled', by });
        yield* audit.record({ type: 'account.disabled', account: id, by });
      });
      outbox.wake();
      return existing(id);
    },

    async enable(id: string, by: Origin = SYSTEM): Promise<Account> {
      open(await existing(id));
      await db.write(function* () {
        yield* store.setStatus(id, 'active');
        yield* audit.record({ type: 'account.enabled', account: id, by });
      });
      return existing(id);
    },
  };
}

function notCurrent(): AppError {
  return new AppError('invalid_credentials', { fields: [{ field: 'current_password', code: 'password_wrong' }] });
}

/** @throws AppError conflict. */
function open({ status, id }: Account): void {
  if (status !== 'closed') return;
  const message = `This account was deleted by its person. \`latchkey users restore ${id}\` keeps it.`;
  throw new AppError('conflict', { message });
}

export type Accounts = ReturnType<typeof createAccounts>;
