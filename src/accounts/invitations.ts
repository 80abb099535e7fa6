/** An invitation by mail: the link's page sets name and password; the account exists, verified, from then on. */
import { type Origin, SYSTEM } from '../audit/events.ts';
import { UniqueViolation } from '../db/database.ts';
import { AppError } from '../errors.ts';
import { canonicalEmail } from './email.ts';
import type { AccountParts } from './parts.ts';
import { nameFaults } from './profile.ts';
import { newAccount } from './registration.ts';
import type { Account } from './store.ts';

export type InvitationsOptions = Omit<AccountParts, 'passwords' | 'endSessions'>;

interface Invited {
  email: string;
  name: string | null;
  locale: string;
}

/** How long an invitation can be accepted. */
const DAYS = 7;
const DAY_MS = 86_400_000;

export function createInvitations(options: InvitationsOptions) {
  const { db, audit, store, links, outbox, newPasswords } = options;
  const gone = () =>
    new AppError('code_expired', { message: 'This invitation has expired or was used already. Ask for a new one.' });

  return {
    /** Resolves with the link that was mailed. @throws AppError invalid_request, conflict. */
    async invite(input: { email: string; name: string | null; locale: string; inviter: string | null; by?: Origin }) {
      const email = canonicalEmail(input.email);
      if (!email)
        throw new AppError('invalid_request', {
          message: 'This is not an e-mail address.',
          fields: [{ field: 'email', code: 'email_invalid' }],
        });
      if (await store.byEmail(email.canonical)) {
        throw new AppError('conflict', { message: `There is an account for ${email.address} already.` });
      }
      const invited: Invited = { email: email.address, name: input.name, locale: input.locale };
      const link = await db.write(function* () {
        const link = { purpose: 'invitation' as const, sentTo: email.canonical, accountId: null };
        const token = yield* links.issue({ ...link, data: invited, lifetimeMs: DAYS * DAY_MS });
        const url = `${options.issuer}/invitation/${token}`;
        const data = { link: url, inviter: input.inviter, days: DAYS };
        yield* outbox.enqueue(
          'mail',
          { template: 'invitation', to: email.canonical, locale: input.locale, data },
          DAYS * DAY_MS,
        );
        const details = { address: audit.pseudonym(email.canonical) };
        yield* audit.record({ type: 'account.invited', by: input.by ?? SYSTEM, details });
        return url;
      });
      outbox.wake();
      return { email: email.address, link };
    },

    /** What a link's page shows. @throws AppError code_expired. */
    async find(token: string): Promise<Invited> {
      const challenge = await links.find('invitation', token);
      if (!challenge) throw gone();
      return links.dataOf<Invited>(challenge);
    },

    async accept(token: string, input: { name: string; password: string | null; by?: Origin }): Promise<Account> {
      const challenge = await links.find('invitation', token);
      if (!challenge) throw gone();
      const invited = links.dataOf<Invited>(challenge);
      const name = input.name.normalize('NFC').trim();
      const { by = SYSTEM, password } = input;
      const chooser = { email: challenge.sent_to, name, by };
      const fields = [...nameFaults(name), ...(password === null ? [] : await newPasswords.faults(password, chooser))];
      if (fields.length > 0) throw new AppError('invalid_request', { fields });
      const passwordHash = password === null ? null : await newPasswords.hash(password);
      const account = newAccount({
        email: invited.email,
        canonical: challenge.sent_to,
        name,
        passwordHash,
        locale: invited.locale,
        verified: true,
      });
      try {
        await db.write(function* () {
          yield* links.consume(challenge);
          yield* store.insert(account);
          const details = { how: 'invitation' };
          yield* audit.record({ type: 'account.created', account: account.id, by, details });
        });
      } catch (error) {
        if (error instanceof UniqueViolation) throw gone();
        throw error;
      }
      return account;
    },
  };
}

export type Invitations = ReturnType<typeof createInvitations>;
