import 'next-auth';
import 'next-auth/jwt';

declare module 'next-auth' {
  interface Profile {
    acr?: string;
  }

  interface Session {
    acr?: string;
    error?: 'RefreshTokenError';
  }
}

declare module 'next-auth/jwt' {
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
