'use client';

import { SessionProvider, signIn } from 'next-auth/react';
import type { ReactNode } from 'react';

/** Asks /api/auth/session on every visit: there, refreshed tokens get into the cookie, which a server component can't write. */
export function Session({ children }: { children: ReactNode }) {
  return <SessionProvider>{children}</SessionProvider>;
}

export function SignInButtons() {
  return (
    <p>
      <button type="button" onClick={() => signIn('latchkey', { callbackUrl: '/protected' })}>
        Sign in
      </button>
      {/* prompt=create opens the registration page (Initiating User Registration via OpenID Connect 1.0). */}
      <button type="button" onClick={() => signIn('latchkey', { callbackUrl: '/protected' }, { prompt: 'create' })}>
        Register
      </button>
    </p>
  );
}
