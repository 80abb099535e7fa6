/** Which scope asks for which claims (OpenID Connect Core 1.0 section 5.4), and an account in those words. */

/** `groups` and `roles` have scopes of their own; values of `groups` come with groups of accounts. */
export const SCOPE_CLAIMS: Record<string, string[]> = {
  // How and when the person signed in goes into every ID token (section 2).
  openid: ['sub', 'auth_time', 'amr', 'acr'],
  profile: ['name', 'preferred_username', 'given_name', 'family_name', 'picture', 'locale', 'zoneinfo', 'updated_at'],
  email: ['email', 'email_verified'],
  phone: ['phone_number', 'phone_number_verified'],
  address: ['address'],
  groups: ['groups'],
  roles: ['roles'],
};

/** Scopes of the account API. */
export const ACCOUNT_SCOPES = ['account:read', 'account:write'] as const;

export const SCOPES = [...Object.keys(SCOPE_CLAIMS), 'offline_access', ...ACCOUNT_SCOPES];

/** Scopes of a client that did not say which it wants: everything but the account API for other people's apps. */
export function defaultScopes(firstParty: boolean, resourceScopes: string[]): string {
  const own = SCOPES.filter((scope) => firstParty || !ACCOUNT_SCOPES.includes(scope as never));
  return [...own, ...resourceScopes].join(' ');
}

export interface ClaimsSource {
  id: string;
  email: string;
  emailVerifiedAt: number | null;
  updatedAt: number;
  profile: Record<string, string | null>;
  phoneNumber: string | null;
  address: Record<string, string> | null;
}

/** Standard claims (section 5.1); what is not known is left out, never null. */
export function claimsOf(account: ClaimsSource): { sub: string; [claim: string]: unknown } {
  const claims: Record<string, unknown> = {
    email: account.email,
    email_verified: account.emailVerifiedAt !== null,
    updated_at: Math.floor(account.updatedAt / 1000),
  };
  for (const claim in account.profile) {
    const value = account.profile[claim];
    if (value !== null) claims[claim] = value;
  }
  if (account.phoneNumber) claims['phone_number'] = account.phoneNumber;
  if (account.address) claims['address'] = account.address;
  return { sub: account.id, ...claims };
}
