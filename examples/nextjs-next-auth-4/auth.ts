import { type AuthOptions, getServerSession } from 'next-auth';
import { fresh } from '@/tokens';

export const authOptions: AuthOptions = {
  providers: [
    {
      id: 'latchkey',
      name: 'Latchkey',
      type: 'oauth',
      wellKnown: `${process.env.LATCHKEY_ISSUER}/.well-known/openid-configuration`,
      clientId: process.env.LATCHKEY_CLIENT_ID,
      clientSecret: process.env.LATCHKEY_CLIENT_SECRET,
      authorization: { params: { scope: 'openid profile email account:read' } },
      checks: ['pkce', 'state', 'nonce'],
      idToken: true,
      profile: (claims) => ({ id: claims.sub, name: claims.name, email: claims.email, image: claims.picture }),
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
};

/** The signed-in person's session, or null: also when the issuer has ended it. */
export async function currentSession() {
  const session = await getServerSession(authOptions);
  return session && !session.error ? session : null;
}
