/** Signing in with a passkey: by the button or the autofill of the first page, and as the second step. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import { AppError } from '../errors.ts';
import type { PasskeySignIn } from '../factors/passkey-sign-in.ts';
import { lostWay } from './factor-recovery-routes.ts';
import { otherWays } from './factor-routes.ts';
import type { Flow } from './flows.ts';
import type { FlowPage } from './pages.ts';
import { AssertionForm, passkeyForm, SecondStepForm } from './passkey-form.ts';
import { askedBy, type LoginDeps, signInForm } from './routes.ts';

export interface PasskeyDeps extends LoginDeps {
  passkeySignIn: PasskeySignIn;
}

/** Challenges of a sign-in are good in it alone. */
export const boundTo = ({ uid }: Flow) => `flow:${uid}`;

export function mountPasskeys(router: Router, deps: PasskeyDeps): void {
  const { pages, login, accounts, passkeySignIn } = deps;
  const attempt = (ctx: Context, page: FlowPage) => {
    const { by = deps.originOf(ctx), client, device } = askedBy(deps, ctx, page);
    return { bound: boundTo(page.flow), by, client, device };
  };

  router.post('/login/:uid/passkey/sign-in/options', async (ctx) => {
    ctx.body = await passkeySignIn.signInOptions(boundTo(await pages.call(ctx)));
  });

  router.post('/login/:uid/passkey/sign-in', (ctx) =>
    pages.submit(
      ctx,
      AssertionForm,
      async (page, { response }) => {
        const { accountId, epoch, methods } = await passkeySignIn.signIn(response, attempt(ctx, page));
        const account = { ...(await accounts.existing(accountId)), signedOutAt: epoch };
        await login.proved(ctx, page.flow, account, methods);
      },
      (page, _form, errors) => signInForm(deps, page, { errors }),
    ),
  );

  async function secondStep(ctx: Context, { flow, show }: FlowPage, data: object = {}): Promise<void> {
    const pending = await login.pending(ctx, flow);
    if (!asksForPasskey(pending.next)) return login.resume(ctx, flow);
    const { account } = pending;
    show('login/passkey', {
      account: { email: account.email, name: account.profile.name },
      passkey: passkeyForm(flow, 'second-step'),
      remember: login.rememberable,
      others: otherWays(flow, pending, 'passkey'),
      lost: await lostWay(deps, flow, pending),
      cancelAction: `/login/${flow.uid}/cancel`,
      ...data,
    });
  }

  router.get('/login/:uid/passkey', async (ctx) => secondStep(ctx, await pages.open(ctx)));

  router.post('/login/:uid/passkey/options', async (ctx) => {
    const flow = await pages.call(ctx);
    const { account, next } = await login.pending(ctx, flow);
    if (!asksForPasskey(next)) throw notAsked();
    ctx.body = await passkeySignIn.secondStepOptions(account.id, boundTo(flow));
  });

  router.post('/login/:uid/passkey', (ctx) =>
    pages.submit(
      ctx,
      SecondStepForm,
      async (page, { response, remember }) => {
        const pending = await login.pending(ctx, page.flow);
        if (!asksForPasskey(pending.next)) throw notAsked();
        await login.tryFactor(page.flow);
        const methods = await passkeySignIn.prove(pending.account, response, attempt(ctx, page));
        await login.provedMore(ctx, page.flow, pending, methods, { remember: remember === 'yes' });
      },
      (page, _form, errors) => secondStep(ctx, page, { errors }),
    ),
  );
}

function asksForPasskey(next: Awaited<ReturnType<LoginDeps['login']['pending']>>['next']): boolean {
  return next.step === 'factor' && next.kinds.includes('passkey');
}

function notAsked(): AppError {
  return new AppError('interaction_expired', { message: 'This sign-in asks for no passkey now. Start it again.' });
}
