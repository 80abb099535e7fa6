import 'next-auth';
import 'next-auth/jwt';

declare module 'next-auth' {
  interface Session {
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
    error?: 'RefreshTokenError';
  }
}
