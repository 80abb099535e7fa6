/** Runs before the pages: there, refreshed tokens get into the cookie, which a server component can't write. */
export { auth as proxy } from '@/auth';

export const config = { matcher: ['/protected/:path*', '/admin/:path*'] };
