'use client';

import { SessionProvider, signIn, useSession } from 'next-auth/react';
import type { ReactNode } from 'react';

/** Asks /api/auth/session on every visit: there, refreshed tokens get into the cookie, which a server component can't write. */
export function Session({ children }: { children: ReactNode }) {
  return <SessionProvider>{children}</SessionProvider>;
}

/** next-auth 4 tells a server component no end of the session, only the browser. */
export function SessionEnd() {
  return useSession().data?.expires;
}

export function SignInButtons() {
  // The first answers of next-auth each set a CSRF cookie: signing in between them would lead to its own sign-in page.
  const asking = useSession().status === 'loading';
  return (
    <p>
      <button type="button" disabled={asking} onClick={() => signIn('latchkey', { callbackUrl: '/protected' })}>
        Sign in
      </button>
      {/* prompt=create opens the registration page (Initiating User Registration via OpenID Connect 1.0). */}
      <button
        type="button"
        disabled={asking}
        onClick={() => signIn('latchkey', { callbackUrl: '/protected' }, { prompt: 'create' })}
      >
        Register
      </button>
    </p>
  );
}

/** A stronger sign-in (step-up): whoever is signed in already is asked for the second step only. */
export function StepUpButton() {
  const asking = useSession().status === 'loading';
  return (
    <p>
      <button
        type="button"
        disabled={asking}
        onClick={() => signIn('latchkey', { callbackUrl: '/admin' }, { acr_values: 'urn:latchkey:mfa' })}
      >
        Go on with a second step
      </button>
    </p>
  );
}
