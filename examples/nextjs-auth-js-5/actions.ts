'use server';

import { redirect } from 'next/navigation';
import { signIn, signOut } from '@/auth';
import { discovery, sessionToken } from '@/tokens';

export async function login() {
  await signIn('latchkey', { redirectTo: '/protected' });
}

/** prompt=create opens the registration page (Initiating User Registration via OpenID Connect 1.0). */
export async function register() {
  await signIn('latchkey', { redirectTo: '/protected' }, { prompt: 'create' });
}

/** A stronger sign-in (step-up): whoever is signed in already is asked for the second step only. */
export async function stepUp() {
  await signIn('latchkey', { redirectTo: '/admin' }, { acr_values: 'urn:latchkey:mfa' });
}

/** Federated logout: ends the app's session, then the one at the issuer. */
export async function logout() {
  const token = await sessionToken();
  const endSession = new URL((await discovery()).end_session_endpoint);
  endSession.searchParams.set('post_logout_redirect_uri', new URL('/', process.env.AUTH_URL).href);
  endSession.searchParams.set('client_id', process.env.LATCHKEY_CLIENT_ID ?? '');
  if (token?.idToken) endSession.searchParams.set('id_token_hint', token.idToken);

  await signOut({ redirect: false });
  redirect(endSession.href);
}
