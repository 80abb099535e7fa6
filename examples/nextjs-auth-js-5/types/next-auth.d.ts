import 'next-auth';
import '@auth/core/jwt';

declare module 'next-auth' {
  interface Session {
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
    error?: 'RefreshTokenError';
  }
}
