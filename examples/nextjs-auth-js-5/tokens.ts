/** The tokens inside the session cookie: kept fresh, and never given to the browser's scripts. */
import { headers } from 'next/headers';
import { getToken, type JWT } from 'next-auth/jwt';

/** Refresh this long before the end, so that a token does not run out on its way to an API. */
const EARLY_SECONDS = 5;
const REMEMBER_MS = 30_000;
const PAGE_VIEW_MS = 1000;

/** The issuer's endpoints, asked once an hour (OpenID Connect Discovery). */
export async function discovery(): Promise<{ token_endpoint: string; end_session_endpoint: string }> {
  const url = `${process.env.LATCHKEY_ISSUER}/.well-known/openid-configuration`;
  const response = await fetch(url, { next: { revalidate: 3600 } });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}

/** What the session cookie of this request holds, or null. Auth.js reads these settings itself, but not for getToken. */
export async function sessionToken(): Promise<JWT | null> {
  const { AUTH_SECRET: secret, AUTH_URL = '' } = process.env;
  return getToken({ req: { headers: await headers() }, secret, secureCookie: AUTH_URL.startsWith('https:') });
}

/** The access token of the person who is looking at the page, or null when they have to sign in. */
export async function accessToken(): Promise<string | null> {
  const token = await sessionToken();
  return token ? ((await fresh(token)).accessToken ?? null) : null;
}

// By old access token: one refresh at a time. A server component can't write the cookie, so the old token may come
// again in the same page view: the answer is remembered for a moment. Global, because Next.js bundles pages and
// the proxy apart.
const shared = globalThis as { latchkeyRefreshes?: Map<string, Promise<JWT>> };
shared.latchkeyRefreshes ??= new Map();
const refreshes = shared.latchkeyRefreshes;

/** The same tokens while they are valid, else new ones, else `error` and no tokens: the person has to sign in. */
export async function fresh(token: JWT): Promise<JWT> {
  if (token.error || Date.now() / 1000 < (token.expiresAt ?? 0) - EARLY_SECONDS) return token;
  const { accessToken: key = '', refreshToken } = token;
  if (!refreshToken) return signedOut(token);
  let refresh = refreshes.get(key);
  if (!refresh) {
    refresh = requestTokens(token, refreshToken);
    refreshes.set(key, refresh);
    refresh.then(
      (fresher) => setTimeout(() => refreshes.delete(key), rememberedFor(fresher)).unref(),
      () => refreshes.delete(key),
    );
  }
  // The issuer can't be reached: nobody is signed out for that, the next request tries again.
  return refresh.catch(() => token);
}

/** Milliseconds: never so long that a page gets tokens which are over. */
function rememberedFor({ expiresAt = 0 }: JWT): number {
  const left = (expiresAt - EARLY_SECONDS) * 1000 - Date.now();
  return Math.min(REMEMBER_MS, Math.max(PAGE_VIEW_MS, left));
}

async function requestTokens(token: JWT, refreshToken: string): Promise<JWT> {
  const { LATCHKEY_CLIENT_ID = '', LATCHKEY_CLIENT_SECRET = '' } = process.env;
  const credentials = `${encodeURIComponent(LATCHKEY_CLIENT_ID)}:${encodeURIComponent(LATCHKEY_CLIENT_SECRET)}`;
  const response = await fetch((await discovery()).token_endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(credentials)}` },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken }),
    cache: 'no-store',
  });
  if (response.status >= 500 || response.status === 429) throw new Error(`refresh: ${response.status}`);
  const answer = await response.json();
  if (!response.ok) {
    // `invalid_grant` is the ordinary end: signed out at the issuer, password changed, or away for too long.
    if (answer.error !== 'invalid_grant') console.error('refresh failed:', answer.error, answer.error_description);
    return signedOut(token);
  }
  return {
    ...token,
    accessToken: answer.access_token,
    expiresAt: Math.floor(Date.now() / 1000) + answer.expires_in,
    refreshToken: answer.refresh_token ?? refreshToken,
    idToken: answer.id_token ?? token.idToken,
  };
}

function signedOut({ accessToken, refreshToken, ...rest }: JWT): JWT {
  return { ...rest, error: 'RefreshTokenError' };
}
