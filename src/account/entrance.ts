/**
 * Who is signed in on the account pages: the browser session of the issuer. Without one the person is sent through an
 * ordinary authorization request of the internal account client; its code is never redeemed, the session is what counts.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Context } from 'koa';
import type { Accounts } from '../accounts/accounts.ts';
import type { Account } from '../accounts/store.ts';
import { AppError } from '../errors.ts';
import type { IsFresh } from '../factors/freshness.ts';
import { requestContext } from '../http/request-context.ts';
import { ACCOUNT_CLIENT_ID, cookieNames, ROUTES } from '../oidc/provider.ts';
import type { CurrentSession, Sessions } from '../sessions/sessions.ts';

export const CALLBACK_PATH = '/account/callback';

export interface EntranceOptions {
  issuer: string;
  secureCookies: boolean;
  stateKey: Buffer;
  sessions: Sessions;
  accounts: Accounts;
  isFresh: IsFresh;
  /** Whether the session is as strong as the operator demands of its person. */
  sufficesHere(ctx: Context, session: CurrentSession): Promise<boolean>;
}

export interface SignedIn {
  account: Account;
  session: CurrentSession;
}

export function createEntrance(options: EntranceOptions) {
  const { issuer, secureCookies, stateKey, sessions, accounts, isFresh, sufficesHere } = options;
  const cookie = cookieNames(secureCookies).session;
  const mac = (path: string) => createHmac('sha256', stateKey).update(`account return|${path}`).digest();

  async function current(ctx: Context): Promise<CurrentSession | undefined> {
    const value = ctx.cookies.get(cookie, { signed: true });
    return sessions.current(value, { ip: requestContext(ctx.req).address, userAgent: ctx.get('user-agent') || null });
  }

  async function signedIn(ctx: Context): Promise<SignedIn | undefined> {
    const session = await current(ctx);
    const account = session && (await accounts.living(session.accountId));
    return session && account ? { session, account } : undefined;
  }

  function authorizationUrl(returnTo: string, more: { prompt?: string; login_hint?: string } = {}): string {
    const url = new URL(ROUTES.authorization, issuer);
    const state = `${Buffer.from(returnTo).toString('base64url')}.${mac(returnTo).toString('base64url')}`;
    const challenge = createHash('sha256').update(randomBytes(32)).digest('base64url');
    const params = {
      client_id: ACCOUNT_CLIENT_ID,
      response_type: 'code',
      scope: 'openid',
      redirect_uri: issuer + CALLBACK_PATH,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      state,
      ...more,
    };
    url.search = new URLSearchParams(params).toString();
    return url.href;
  }

  /** The signed-in person, or undefined after the browser was sent to sign in, or to the second factor that a session
   * of before lacks. `leaving`: whoever is there may go. */
  async function required(ctx: Context, { leaving = false } = {}): Promise<SignedIn | undefined> {
    const found = await signedIn(ctx);
    if (found && (leaving || (await sufficesHere(ctx, found.session)))) return found;
    ctx.status = 303;
    ctx.redirect(authorizationUrl(ctx.method === 'GET' ? ctx.path : '/account'));
    return undefined;
  }

  return {
    current,
    require: required,

    /**
     * The signed-in person, who proved it in the last ten minutes; or undefined after the browser was sent to sign in
     * again, from where it comes back to `returnTo`: the page of the form, for a form that came too late.
     */
    async requireFresh(ctx: Context, returnTo: string = ctx.path): Promise<SignedIn | undefined> {
      const found = await required(ctx);
      if (!found || (await isFresh(found.session))) return found;
      ctx.status = 303;
      ctx.redirect(authorizationUrl(returnTo, { prompt: 'login', login_hint: found.account.email }));
      return undefined;
    },

    signedIn,
    isFresh,
    sufficesHere,
    authorizationUrl,

    /** Where the sign-in that just ended came from. @throws AppError with words for a person. */
    async returnPath(ctx: Context): Promise<string> {
      const path = checkedState(String(ctx.query['state'] ?? ''));
      if (path === undefined)
        throw new AppError('invalid_request', {
          message: 'This address is part of a sign-in and can not be opened alone.',
        });
      if (ctx.query['error'] !== undefined) throw new AppError('unauthenticated', { message: 'You did not sign in.' });
      if (!(await signedIn(ctx))) {
        throw new AppError('unauthenticated', {
          message: 'The browser kept no cookie of the sign-in. Allow cookies for this site and try again.',
        });
      }
      return path;
    },

    forget(ctx: Context): void {
      ctx.cookies.set(cookie, null, {
        signed: true,
        httpOnly: true,
        sameSite: 'lax',
        secure: secureCookies,
        path: '/',
      });
    },
  };

  function checkedState(state: string): string | undefined {
    const [encoded = '', signature = ''] = state.split('.');
    const path = Buffer.from(encoded, 'base64url').toString();
    const given = Buffer.from(signature, 'base64url');
    const wanted = mac(path);
    return given.length === wanted.length && timingSafeEqual(given, wanted) && /^\/(?![/\\])/.test(path)
      ? path
      : undefined;
  }
}

export type Entrance = ReturnType<typeof createEntrance>;
