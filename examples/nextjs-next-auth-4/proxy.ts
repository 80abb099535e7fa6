/** Runs before the pages: there, refreshed tokens get into the cookie, which a server component can't write. */
import { type NextRequest, NextResponse } from 'next/server';
import { encode, getToken } from 'next-auth/jwt';
import { fresh } from '@/tokens';

export const config = { matcher: ['/protected/:path*', '/admin/:path*'] };

const MAX_AGE = 30 * 24 * 60 * 60; // seconds, next-auth's default; set `session.maxAge` there and here

export async function proxy(request: NextRequest) {
  const token = await getToken({ req: request });
  const fresher = token && (await fresh(token));
  if (!fresher || fresher === token) return NextResponse.next();

  const { NEXTAUTH_SECRET: secret = '', NEXTAUTH_URL = '' } = process.env;
  const secure = NEXTAUTH_URL.startsWith('https:');
  const name = `${secure ? '__Secure-' : ''}next-auth.session-token`;
  // Latchkey's tokens fit in one cookie; next-auth splits what is longer than 4 kB.
  const value = await encode({ token: fresher, secret, maxAge: MAX_AGE });
  request.cookies.set(name, value); // for the page of this view
  const response = NextResponse.next({ request });
  response.cookies.set(name, value, { httpOnly: true, sameSite: 'lax', path: '/', secure, maxAge: MAX_AGE });
  return response;
}
