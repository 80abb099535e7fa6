/**
 * Cookie signatures with keygrip's interface, for koa's `app.keys` and oidc-provider's `cookies.keys`. Keygrip itself
 * signs with SHA-1 and hands the key to `createHmac` as a string, which costs several times as much as a KeyObject.
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';

export interface CookieKeys {
  sign(data: string): string;
  verify(data: string, digest: string): boolean;
  /** Which key signed: 0 is the newest, -1 none. From 1 on the cookie is signed again by `cookies`. */
  index(data: string, digest: string): number;
}

/**
 * @param keys of at least 32 bytes; the first signs, all verify.
 * @throws Error when there is none or one is shorter.
 */
export function createCookieKeys(keys: readonly Buffer[]): CookieKeys {
  if (keys.length === 0) throw new Error('cookies need at least one key');
  if (keys.some((key) => key.length < 32)) throw new Error('a cookie key has at least 32 bytes');
  const [newest, ...older] = keys.map((key) => createSecretKey(key)) as [KeyObject, ...KeyObject[]];
  const all = [newest, ...older];

  return {
    sign: (data) => mac(newest, data),
    verify: (data, digest) => index(data, digest) >= 0,
    index,
  };

  function index(data: string, digest: string): number {
    return all.findIndex((key) => equal(mac(key, data), digest));
  }
}

/**
 * The value of a cookie that was set with `signed`, for names that come with a request: `cookies` keeps a pattern for
 * every name that it was ever asked for.
 */
export function signedCookie(header: string, name: string, keys: Pick<CookieKeys, 'verify'>): string | undefined {
  const value = cookieIn(header, name);
  const signature = value && cookieIn(header, `${name}.sig`);
  return signature && keys.verify(`${name}=${value}`, signature) ? value : undefined;
}

/** The first of this name, as `cookies` takes it. */
function cookieIn(header: string, name: string): string | undefined {
  const pair = header
    .split(';')
    .map((each) => each.trimStart())
    .find((each) => each.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}

function mac(key: KeyObject, data: string): string {
  return createHmac('sha256', key).update(data).digest('base64url');
}

/** Compares the texts, not what they decode to: several texts decode to the same bytes. */
function equal(expected: string, given: string): boolean {
  const [left, right] = [Buffer.from(expected), Buffer.from(given)];
  return left.length === right.length && timingSafeEqual(left, right);
}
