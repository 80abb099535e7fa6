/** Sign-in from a page without a server: a public client, code with PKCE, renewal by refresh token. */
import { ErrorResponse, type User, UserManager } from 'oidc-client-ts';

declare const LATCHKEY_ISSUER: string;
declare const LATCHKEY_CLIENT_ID: string;

const users = new UserManager({
  authority: LATCHKEY_ISSUER,
  client_id: LATCHKEY_CLIENT_ID,
  redirect_uri: `${location.origin}/`,
  post_logout_redirect_uri: `${location.origin}/`,
  scope: 'openid profile email account:read',
  automaticSilentRenew: true, // before the access token ends, while the page is open
  revokeTokenTypes: ['refresh_token', 'access_token'],
});

const part = (id: string) => document.getElementById(id)!;

async function show(user: User | null, words = 'Signed out.'): Promise<void> {
  part('signed-out').hidden = user !== null;
  part('signed-in').hidden = user === null;
  part('state').textContent = user ? `Signed in as ${user.profile.name} (${user.profile.email}).` : words;
  part('account').textContent = user ? await readAccount(user) : '';
}

async function readAccount(user: User): Promise<string> {
  const response = await fetch(`${LATCHKEY_ISSUER}/api/v1/account`, {
    headers: { authorization: `Bearer ${user.access_token}` },
  });
  return response.ok ? JSON.stringify(await response.json(), null, 2) : `The account API answered ${response.status}.`;
}

/** invalid_grant is the end: signed out at the issuer, or away for too long. Another error may pass by itself. */
async function renew(): Promise<void> {
  try {
    await show(await users.signinSilent());
  } catch (error) {
    if (!(error instanceof ErrorResponse) || error.error !== 'invalid_grant') throw error;
    await users.removeUser();
    await show(null, 'You were signed out. Please sign in again.');
  }
}

async function revoke(): Promise<void> {
  await users.revokeTokens();
  await users.removeUser();
  await show(null, 'The tokens are revoked.');
}

/** The user of this visit: just back from the issuer, or kept in sessionStorage with a token that is still good. */
async function start(): Promise<void> {
  if (new URLSearchParams(location.search).has('state')) {
    const user = await users.signinCallback();
    history.replaceState(null, '', location.pathname);
    return show(user ?? null);
  }
  const user = await users.getUser();
  return user?.expired ? renew() : show(user);
}

function act(work: () => Promise<unknown>): void {
  work().catch((error: Error) => show(null, error.message));
}

part('sign-in').addEventListener('click', () => act(() => users.signinRedirect()));
part('register').addEventListener('click', () => act(() => users.signinRedirect({ prompt: 'create' })));
part('renew').addEventListener('click', () => act(renew));
part('revoke').addEventListener('click', () => act(revoke));
part('sign-out').addEventListener('click', () => act(() => users.signoutRedirect()));
users.events.addSilentRenewError(() => act(renew));
users.events.addUserLoaded((user) => act(() => show(user)));
act(start);
