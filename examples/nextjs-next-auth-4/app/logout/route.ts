/**
 * Federated logout: ends the app's session, then the one at the issuer. A POST, so that a link or an image on
 * another site can't do it: its request comes without the SameSite=Lax session cookie.
 */
import { type NextRequest, NextResponse } from 'next/server';
import { getToken } from 'next-auth/jwt';
import { discovery } from '@/tokens';

export async function POST(request: NextRequest) {
  const token = await getToken({ req: request });
  const home = new URL('/', process.env.NEXTAUTH_URL);
  if (!token) return NextResponse.redirect(home, 303);

  const endSession = new URL((await discovery()).end_session_endpoint);
  endSession.searchParams.set('post_logout_redirect_uri', home.href);
  endSession.searchParams.set('client_id', process.env.LATCHKEY_CLIENT_ID ?? '');
  if (token.idToken) endSession.searchParams.set('id_token_hint', token.idToken);

  const response = NextResponse.redirect(endSession, 303);
  // A large session is cut into several cookies: session-token.0, session-token.1, …
  for (const { name } of request.cookies.getAll()) {
    if (name.includes('next-auth.session-token')) {
      response.cookies.set({ name, value: '', maxAge: 0, path: '/', secure: name.startsWith('__Secure-') });
    }
  }
  return response;
}
