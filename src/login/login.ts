/**
 * Decides the next step of a sign-in, and is the only place where one ends: whatever was proved, by whichever way,
 * comes here, and no session is begun before what was reached is what is required.
 */
import type { Context } from 'koa';
import type { SignInNotices } from '../accounts/sign-in-notices.ts';
import type { Account } from '../accounts/store.ts';
import type { Origin } from '../audit/events.ts';
import { AppError } from '../errors.ts';
import { demandsOf, hasSecondFactor, type Method, reached, together } from '../factors/assurance.ts';
import type { FactorKind } from '../factors/factors.ts';
import { isRecent } from '../factors/freshness.ts';
import type { Remembered } from '../factors/remembered.ts';
import { type Step, type StepStore, TRIES } from '../factors/step-store.ts';
import type { KnownDevices } from '../limits/known-devices.ts';
import { ACCOUNT_CLIENT_ID } from '../oidc/provider.ts';
import type { Flow, Flows } from './flows.ts';
import { type Next, nextStep } from './requirement.ts';

/** A password that was proved waits this long for the second factor. */
const STEP_MS = 10 * 60_000;

export interface LoginOptions {
  flows: Flows;
  steps: StepStore;
  notices: SignInNotices;
  devices: Pick<KnownDevices, 'of'>;
  /** An account that may be signed in to, or brought back by that. */
  enterable(id: string): Promise<Account | undefined>;
  kindsOf(accountId: string): Promise<FactorKind[]>;
  /** Browsers that may skip the account's own second step. */
  remembered: Pick<Remembered, 'has' | 'remember' | 'on' | 'days'>;
  /** Whether passkeys can be made here. */
  passkeys: { possible: boolean };
  /** People can sign in with a password. */
  passwords: boolean;
  /** The account has no recovery codes yet, not even used ones. */
  lacksCodes(accountId: string): Promise<boolean>;
  /** A factor was proved: it is not lost. */
  factorUsed(accountId: string, by: Origin): Promise<void>;
  /** Whether the operator wants a second factor of this person. */
  secondFactorDemanded(accountId: string): Promise<boolean>;
  /** Whether what was proved strongly in a session at that time counts no more. */
  hasLapsed(sessionUid: string, authTime: number): Promise<boolean>;
  /** Whether a page that offers a passkey comes before the end of this sign-in. */
  offers(ctx: Context, account: Account, step: Step): Promise<boolean>;
  originOf(ctx: Context): Origin;
}

/** Somebody who proved something in this flow, and is asked for more. */
export interface Pending {
  account: Account;
  step: Step;
  next: Next;
}

export function createLogin(options: LoginOptions) {
  const { flows, steps, notices, devices, originOf } = options;
  /** Who is at the second step of a flow of this request, and where. */
  const waiting = new WeakMap<Flow, { account: Account; by: Origin }>();

  async function decide(ctx: Context, flow: Flow, account: Account, step: Step): Promise<Next> {
    const { params } = flow.interaction;
    const kinds = await options.kindsOf(account.id);
    const skippable = kinds.length > 0 && !hasSecondFactor(step.amr) && !asksForFreshProof(flow);
    return nextStep({
      amr: step.amr,
      kinds,
      demands: demandsOf(params, flow.client as never),
      demanded: await options.secondFactorDemanded(account.id),
      remembered: skippable && (await options.remembered.has(ctx, account.id)),
      passkeys: options.passkeys.possible,
      hasPassword: options.passwords && account.passwordHash !== null,
    });
  }

  /** Ends the sign-in, or keeps what was proved and goes to the page of the next step. */
  async function proceed(ctx: Context, flow: Flow, account: Account, step: Step): Promise<void> {
    const next = await decide(ctx, flow, account, step);
    if (next.step === 'unmet') return unmet(ctx, flow);
    // Deleted by the person, who may want it back: asked when all else is proved.
    const leaving = next.step === 'done' && account.status === 'closed';
    const done = next.step === 'done' && !leaving;
    const offered = done && !asksForFreshProof(flow) && (await options.offers(ctx, account, step));
    if (done && !offered) return finish(ctx, flow, account, step);
    await steps.put(flow.uid, step, Date.now() + STEP_MS);
    seeOther(ctx, leaving ? `/login/${flow.uid}/closed` : offered ? `/login/${flow.uid}/offer` : pathOf(flow, next));
  }

  async function finish(ctx: Context, flow: Flow, account: Account, step: Step): Promise<void> {
    const { amr, authTime, epoch } = step;
    const created = flow.interaction.prompt.name === 'create' ? { create: {} } : {};
    const known = devices.of(ctx).known(account.emailCanonical) !== undefined;
    await notices.signedIn(account, { by: originOf(ctx), client: flow.client?.clientId, amr, epoch, known });
    // With its time: the answer is handed in again with a consent, which is no proof of anything.
    const times = { at: Date.now(), epoch, ts: authTime };
    const { id: accountId, emailCanonical: address } = account;
    const login = { accountId, address, remember: true, amr, acr: reached(amr) as string, ...times };
    await flows.finish(ctx, flow, { ...created, login });
  }

  /** OpenID Connect Core Unmet Authentication Requirements 1.0. */
  async function unmet(ctx: Context, flow: Flow): Promise<void> {
    const error_description = 'the End-User has no way to sign in as strongly as the request asks';
    await flows.finish(ctx, flow, { error: 'unmet_authentication_requirements', error_description });
  }

  /** @throws AppError interaction_expired where nothing was proved yet, or too long ago. */
  async function pending(ctx: Context, flow: Flow): Promise<Pending> {
    const step = await steps.find(flow.uid);
    const account = step && (await options.enterable(step.accountId));
    // Signed out everywhere since then.
    if (!step || account?.signedOutAt !== step.epoch) throw expired();
    waiting.set(flow, { account, by: originOf(ctx) });
    return { account, step, next: await decide(ctx, flow, account, step) };
  }

  return {
    pending,

    /** The person proved who they are, as the first step. `account` is as it was read before that. */
    async proved(ctx: Context, flow: Flow, account: Account, methods: Method[]): Promise<void> {
      const earlier = await steps.find(flow.uid);
      // A password after a mailed code and a factor: what was proved in this flow counts together.
      const { id: accountId, signedOutAt: epoch } = account;
      const same = earlier?.accountId === accountId && earlier.epoch === epoch;
      const kept = same && earlier.amr.includes('email') ? earlier.amr : [];
      const step = { accountId, amr: together(kept, methods), authTime: now(), epoch };
      if (hasSecondFactor(methods)) await options.factorUsed(account.id, originOf(ctx));
      await proceed(ctx, flow, account, step);
    },

    /** A second factor was proved or set up, on top of what is pending. With `remember` its owner wishes not to be
     * asked in this browser for a time. After the first set-up come recovery codes. */
    async provedMore(
      ctx: Context,
      flow: Flow,
      { account, step, next }: Pending,
      methods: Method[],
      { remember = false } = {},
    ): Promise<void> {
      const asked = next.step === 'factor' && hasSecondFactor(methods);
      // A factor that was set up or removed here ended all but this flow.
      const epoch = asked ? step.epoch : (await steps.find(flow.uid))?.epoch;
      if (epoch === undefined) throw expired();
      if (hasSecondFactor(methods)) await options.factorUsed(account.id, originOf(ctx));
      if (remember && asked) await options.remembered.remember(ctx, account.id, flow.uid, originOf(ctx));
      const more = { ...step, epoch, amr: together(step.amr, methods) };
      // Nothing was asked for any more: the offer was taken.
      const wasSetUp = next.step === 'protect' || next.step === 'done';
      if (!wasSetUp || !(await options.lacksCodes(account.id))) return proceed(ctx, flow, account, more);
      await steps.put(flow.uid, more, Date.now() + STEP_MS);
      seeOther(ctx, `/login/${flow.uid}/protect/recovery`);
    },

    /** A session that is good but too weak for this request goes on with what it proved already. True when it did. */
    async continued(ctx: Context, flow: Flow): Promise<boolean> {
      const { session } = flow;
      if (!flow.onlyTooWeak || !session) return false;
      const account = await options.enterable(session.accountId);
      if (!account) return false;
      const { amr, authTime } = session;
      const step = { accountId: account.id, amr, authTime, epoch: account.signedOutAt };
      const next = await decide(ctx, flow, account, step);
      // A factor on top of what does not count any more would lead back here.
      if (flow.asksForMore && (await options.hasLapsed(session.uid, session.authTime))) return false;
      if (next.step === 'done' || next.step === 'password') return false;
      // What protects the account is changed by nobody who proved it long ago (ASVS 7.5.1).
      if (next.step === 'protect' && !isRecent(session.authTime)) return false;
      await proceed(ctx, flow, account, step);
      return true;
    },

    /** What the page of a second factor offers (views/parts/remember.ejs), null where nothing is remembered. */
    rememberable: options.remembered.on ? { days: options.remembered.days } : null,

    /** Sends the browser to where this flow stands. */
    async resume(ctx: Context, flow: Flow): Promise<void> {
      const { account, step } = await pending(ctx, flow);
      await proceed(ctx, flow, account, step);
    },

    /** Whose deletion waits for a word, where everything that a sign-in asks for was proved in this flow. */
    async closed(ctx: Context, flow: Flow): Promise<Account | undefined> {
      const { account, next } = await pending(ctx, flow);
      return next.step === 'done' && account.status === 'closed' ? account : undefined;
    },

    /** Counts a try at a second factor before it is compared. Resolves with the tries that are left.
     * @throws AppError interaction_expired after the fifth: the flow is worth nothing any more. */
    async tryFactor(flow: Flow): Promise<number> {
      const left = await steps.count(flow.uid);
      const who = waiting.get(flow);
      // The second try: the first one was wrong.
      if (who && left !== undefined && left <= TRIES - 2) await notices.halfWay(who.account, who.by);
      if (left !== undefined) return left;
      throw tooOften();
    },

    /** The person went back to the application without signing in (RFC 6749 section 4.1.2.1). */
    async refused(ctx: Context, flow: Flow, words: string): Promise<void> {
      await flows.finish(ctx, flow, { error: 'access_denied', error_description: words });
    },
  };
}

export type Login = ReturnType<typeof createLogin>;

/** The account pages send people here to prove again who they are: nothing that was remembered counts. */
function asksForFreshProof({ interaction }: Flow): boolean {
  const { client_id: client, prompt } = interaction.params;
  return client === ACCOUNT_CLIENT_ID && String(prompt ?? '').includes('login');
}

function pathOf(flow: Flow, { step }: Next): string {
  return step === 'password' ? `/login/${flow.uid}` : `/login/${flow.uid}/${step}`;
}

/** RFC 9700 section 4.12: after a form only 303. */
function seeOther(ctx: Context, path: string): void {
  ctx.redirect(path);
  ctx.status = 303;
}

function expired(): AppError {
  const message = 'The first step of this sign-in has expired. Sign in again.';
  return new AppError('interaction_expired', { message });
}

/** After the last try, and for every one after it. */
export function tooOften(): AppError {
  const message = 'That was wrong too often. Go back to the application and sign in again.';
  return new AppError('interaction_expired', { message });
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
