/** Accounts on the command line: which one is meant, and how one looks. */
import { type Account, PROFILE_FIELDS } from '../accounts/store.ts';
import { AppError } from '../errors.ts';
import type { Factor } from '../factors/factors.ts';
import { facts, minute } from './printing.ts';
import type { Services } from './services.ts';

/** The account with this id or address. @throws AppError not_found. */
export async function accountOf({ accounts }: Services, idOrEmail: string): Promise<Account> {
  const account = await (idOrEmail.includes('@') ? accounts.byEmail(idOrEmail) : accounts.byId(idOrEmail));
  if (account) return account;
  throw new AppError('not_found', { message: `There is no account ${idOrEmail}. \`latchkey users list\` shows them.` });
}

/** The object of the account API, and the status, which only an operator sees. */
export function accountObject(account: Account) {
  return {
    id: account.id,
    email: account.email,
    email_verified: account.emailVerifiedAt !== null,
    ...Object.fromEntries(PROFILE_FIELDS.map((field) => [field, account.profile[field]])),
    status: account.status,
    delete_after: account.deleteAfter === null ? null : iso(account.deleteAfter),
    created_at: iso(account.createdAt),
    updated_at: iso(account.updatedAt),
    password_changed_at: account.passwordChangedAt === null ? null : iso(account.passwordChangedAt),
  };
}

export function accountFacts(account: Account): string {
  return facts([
    ['id', account.id],
    ['email', `${account.email} (${account.emailVerifiedAt === null ? 'not verified' : 'verified'})`],
    ...PROFILE_FIELDS.map((field): [string, unknown] => [field, account.profile[field]]),
    ['status', account.status],
    ...(account.deleteAfter === null
      ? []
      : [['gone after', `${minute(account.deleteAfter)} UTC`] as [string, unknown]]),
    ['created', `${minute(account.createdAt)} UTC`],
    ['updated', `${minute(account.updatedAt)} UTC`],
    ['password', account.passwordChangedAt === null ? 'none' : `set ${minute(account.passwordChangedAt)} UTC`],
  ]);
}

/** What protects the account, as the account API shows it. */
export function factorObject({ id, kind, name, createdAt, lastUsedAt, details }: Factor) {
  const last_used_at = lastUsedAt === null ? null : iso(lastUsedAt);
  return { id, kind, name, created_at: iso(createdAt), last_used_at, details };
}

/** The waiting time after which the person can remove lost factors. */
type Recovery = { requestedAt: number; endsAt: number } | null;

export function recoveryObject(recovery: Recovery) {
  return recovery && { requested_at: iso(recovery.requestedAt), ends_at: iso(recovery.endsAt) };
}

export function factorFacts(factors: Factor[], recovery: Recovery): string {
  const lines = factors.map(({ kind, name, lastUsedAt, details }) => {
    if (kind === 'recovery') return `${details['left']} of ${details['total']} recovery codes left`;
    const used = lastUsedAt === null ? 'never used' : `used ${minute(lastUsedAt)} UTC`;
    return `${kind}${name === null ? '' : ` "${name}"`}, ${used}`;
  });
  const waits =
    recovery && `by the person, from ${minute(recovery.endsAt)} UTC; asked ${minute(recovery.requestedAt)} UTC`;
  return facts([['factors', lines], ...(waits ? [['removable', waits] as [string, unknown]] : [])]);
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
