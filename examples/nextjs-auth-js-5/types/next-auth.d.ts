import 'next-auth';
import '@auth/core/jwt';

declare module 'next-auth' {
  interface Profile {
    acr?: string;
  }

  interface Session {
    acr?: string;
    error?: 'RefreshTokenError';
  }
}

declare module '@auth/core/jwt' {
  interface JWT {
    accessToken?: string;
    /** Seconds since 1970. */
    expiresAt?: number;
    refreshToken?: string;
    idToken?: string;
    acr?: string;
    error?: 'RefreshTokenError';
  }
}
