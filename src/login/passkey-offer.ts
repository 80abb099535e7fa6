/**
 * When a passkey is offered at the end of a sign-in: to somebody who typed a password, has no passkey, and sits at a
 * browser whose script said that it could make one. Without that word nobody is asked for what can't be done.
 */
import type { Context } from 'koa';
import type { Account } from '../accounts/store.ts';
import type { IsFresh } from '../factors/freshness.ts';
import type { Passkeys } from '../factors/passkeys.ts';
import type { Step } from '../factors/step-store.ts';

/** Set by the sign-in page's script. */
export const ABLE_COOKIE = 'latchkey_passkeys';

export interface OfferOptions {
  passkeys: Pick<Passkeys, 'wantsOffer' | 'offered'>;
  isFresh: IsFresh;
}

export function createPasskeyOffer({ passkeys, isFresh }: OfferOptions) {
  /** True once in a while: asking is noted at once, so that a page that was closed is not shown again. */
  return async function offers(ctx: Context, account: Account, { amr, authTime }: Step): Promise<boolean> {
    if (!amr.includes('pwd') || ctx.cookies.get(ABLE_COOKIE, { signed: false }) !== '1') return false;
    // A remembered device skipped the second factor: that is enough to come in, not to add another.
    if (!(await isFresh({ accountId: account.id, authTime, amr }))) return false;
    if (!(await passkeys.wantsOffer(account.id))) return false;
    await passkeys.offered(account.id);
    return true;
  };
}
