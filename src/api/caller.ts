/**
 * Who asks: an application with a bearer token (RFC 6750), or a person's browser with its session cookie. Knows neither
 * how tokens and sessions are stored nor what is asked.
 */
import type { Context } from 'koa';
import { AppError } from '../errors.ts';
import type { Acr } from '../factors/assurance.ts';
import { FRESH_FOR, type IsFresh } from '../factors/freshness.ts';

export type AccountScope = 'account:read' | 'account:write';

/** What is known of an opaque access token that lives, of an account that lives. */
export interface BearerToken {
  accountId: string;
  clientId: string;
  grantId?: string | undefined;
  /** Space-separated. */
  scope?: string | undefined;
  sessionUid?: string | undefined;
  /** When and by which methods (RFC 8176) the person signed in for it. Seconds since 1970. */
  authTime?: number | undefined;
  amr?: string[] | undefined;
  /** Set for a token that is bound to a key (RFC 9449). */
  jkt?: string | undefined;
  /** Set for a token that is meant for another resource server (RFC 8707). */
  audience?: unknown;
}

export interface Caller {
  accountId: string;
  /** The browser session of the cookie, or the one from which the token's application was signed in. */
  sessionUid: string | undefined;
  /** The grant of the token. */
  grantId: string | undefined;
  via: 'bearer' | 'cookie';
  /** When and by which methods the person signed in. Seconds since 1970. */
  authTime: number;
  amr: string[];
}

export interface BrowserSession {
  uid: string;
  accountId: string;
  authTime: number;
  amr: string[];
}

export interface CallerOptions {
  /** Looked up at every request, so that a revoked token is refused at once; undefined for one that is not valid. */
  bearer(token: string): Promise<BearerToken | undefined>;
  /** The signed-in browser session of the request's cookie. */
  browser(ctx: Context): Promise<BrowserSession | undefined>;
  isFresh: IsFresh;
  /** Whether the sign-in is as strong as the operator demands of the person. */
  suffices(ctx: Context, who: Caller): Promise<boolean>;
  /** Checks Origin and Sec-Fetch-Site too. @throws AppError csrf. */
  csrf: { check(ctx: Context, binding: string, token: string | undefined): void };
}

/** b64token of RFC 6750 section 2.1. */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;
const TWO_FACTORS: Acr = 'urn:latchkey:mfa';
const SAFE_METHODS = new Set(['GET', 'HEAD']);

/** @throws (the function that is returned) AppError unauthenticated, invalid_token, insufficient_scope, csrf,
 * invalid_request, second_factor_required, fresh_proof_required. */
export function createCaller({ bearer, browser, csrf, isFresh, suffices }: CallerOptions) {
  async function byToken(ctx: Context, scope: AccountScope): Promise<Caller> {
    const found = await bearer(tokenOf(ctx.get('authorization')));
    if (!found) throw refused('The access token is unknown, expired or revoked.');
    // Verifying a proof of possession is not built here; accepting such a token without one would undo the binding.
    if (found.jkt)
      throw refused('The access token is bound to a key by DPoP; the account API takes unbound tokens only.');
    if (found.audience)
      throw refused('The access token is meant for another resource; ask for one without `resource`.');
    if (!(found.scope ?? '').split(' ').includes(scope)) throw tooLittle(scope);
    const { accountId, sessionUid, grantId, authTime = 0, amr = [] } = found;
    return { accountId, sessionUid, grantId, via: 'bearer', authTime, amr };
  }

  async function byCookie(ctx: Context): Promise<Caller> {
    const session = await browser(ctx);
    if (!session) throw nobody('Send an access token as `Authorization: Bearer …`, or sign in on the account page.');
    // The same binding as the forms of the account pages, so that a script of such a page has its token at hand.
    if (!SAFE_METHODS.has(ctx.method)) csrf.check(ctx, `session:${session.uid}`, ctx.get('x-csrf-token') || undefined);
    const { accountId, authTime, amr } = session;
    return { accountId, sessionUid: session.uid, grantId: undefined, via: 'cookie', authTime, amr };
  }

  /** `fresh` for what asks for a sign-in of the last ten minutes, with the second factor of those who have one. */
  return async function caller(ctx: Context, scope: AccountScope, { fresh = false } = {}): Promise<Caller> {
    if (new URLSearchParams(ctx.querystring).has('access_token')) throw inAddress();
    const who = await (ctx.headers.authorization === undefined ? byCookie(ctx) : byToken(ctx, scope));
    if (!(await suffices(ctx, who))) throw tooWeak();
    if (fresh && !(await isFresh(who))) throw stale();
    return who;
  };
}

export type WhoAsks = ReturnType<typeof createCaller>;

function tokenOf(authorization: string): string {
  const token = BEARER.exec(authorization)?.[1];
  if (token) return token;
  if (/^bearer(?: |$)/i.test(authorization))
    throw refused('The Authorization header holds no well-formed access token.');
  if (/^dpop /i.test(authorization)) throw refused('The account API takes no DPoP-bound tokens; send `Bearer`.');
  throw nobody('The account API takes `Authorization: Bearer …` only.');
}

function nobody(message: string): AppError {
  return new AppError('unauthenticated', { message, headers: { 'WWW-Authenticate': 'Bearer' } });
}

function refused(message: string): AppError {
  return new AppError('invalid_token', { message, headers: challenge('invalid_token', message) });
}

function tooLittle(scope: AccountScope): AppError {
  const message = `The access token lacks the scope ${scope}.`;
  return new AppError('insufficient_scope', {
    message,
    headers: challenge('insufficient_scope', message, `, scope="${scope}"`),
  });
}

/** RFC 9470 section 3. */
function stale(): AppError {
  const message = `This asks for a sign-in of the last ${FRESH_FOR / 60} minutes, with the second factor of who has one. Send the person to sign in with max_age=${FRESH_FOR}, or prompt=login.`;
  const words = 'a more recent or stronger sign-in is needed';
  const headers = challenge('insufficient_user_authentication', words, `, max_age="${FRESH_FOR}"`);
  return new AppError('fresh_proof_required', { message, headers });
}

/** The same for who signed in before a second factor was demanded, or in a browser that skips it. */
function tooWeak(): AppError {
  const message = `The operator demands a second factor of this person. Send them to sign in with acr_values=${TWO_FACTORS}.`;
  const words = 'a second factor is needed';
  const headers = challenge('insufficient_user_authentication', words, `, acr_values="${TWO_FACTORS}"`);
  return new AppError('second_factor_required', { message, headers });
}

/** An address is written into logs and histories (RFC 9700 section 4.3.2). */
function inAddress(): AppError {
  const message = 'Send the access token in the Authorization header, never in the address; treat this one as leaked.';
  return new AppError('invalid_request', { message, headers: challenge('invalid_request', message) });
}

/** RFC 6750 section 3. */
function challenge(error: string, description: string, more = ''): Record<string, string> {
  return { 'WWW-Authenticate': `Bearer error="${error}", error_description="${description}"${more}` };
}
