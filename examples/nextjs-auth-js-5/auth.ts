import NextAuth from 'next-auth';
import { fresh } from '@/tokens';

export const { handlers, auth, signIn, signOut } = NextAuth({
  providers: [
    {
      id: 'latchkey',
      name: 'Latchkey',
      type: 'oidc',
      issuer: process.env.LATCHKEY_ISSUER,
      clientId: process.env.LATCHKEY_CLIENT_ID,
      clientSecret: process.env.LATCHKEY_CLIENT_SECRET,
      authorization: { params: { scope: 'openid profile email account:read' } },
      checks: ['pkce', 'state', 'nonce'],
    },
  ],
  callbacks: {
    // The token lives in the app's encrypted cookie. `account` is there only right after signing in.
    async jwt({ token, account, profile }) {
      if (!account) return fresh(token);
      return {
        ...token,
        accessToken: account.access_token,
        expiresAt: account.expires_at,
        refreshToken: account.refresh_token,
        idToken: account.id_token,
        // How surely the person signed in, of the ID token.
        acr: profile?.acr,
        error: undefined,
      };
    },
    // What pages and the browser's scripts see: who it is and whether to sign in again, but no token.
    session({ session, token }) {
      return { ...session, acr: token.acr, error: token.error };
    },
  },
});

/** The signed-in person's session, or null: also when the issuer has ended it. */
export async function currentSession() {
  const session = await auth();
  return session && !session.error ? session : null;
}
