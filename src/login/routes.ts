/** The hosted sign-in pages: sign in, and what leads from there. Every address carries the flow's id. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { Accounts } from '../accounts/accounts.ts';
import type { Challenges } from '../accounts/challenges.ts';
import type { FactorRecovery } from '../accounts/factor-recovery.ts';
import type { Recovery } from '../accounts/recovery.ts';
import type { Registration } from '../accounts/registration.ts';
import type { Asked } from '../accounts/sign-in.ts';
import type { Origin } from '../audit/events.ts';
import type { Passkeys } from '../factors/passkeys.ts';
import type { Renderer } from '../http/render.ts';
import type { KnownDevices } from '../limits/known-devices.ts';
import type { Flows } from './flows.ts';
import { ButtonForm, SignInForm } from './forms.ts';
import type { Login } from './login.ts';
import type { FlowPage, Pages } from './pages.ts';
import { passkeyForm } from './passkey-form.ts';

export interface LoginDeps {
  flows: Flows;
  pages: Pages;
  login: Login;
  accounts: Accounts;
  registration: Registration;
  recovery: Recovery;
  challenges: Challenges;
  factorRecovery: FactorRecovery;
  devices: KnownDevices;
  renderer: Renderer;
  passwordLength: { min: number; max: number };
  /** Codes and links by mail in place of passwords, beside them, or not at all. */
  emailSignIn: 'off' | 'allowed' | 'instead';
  passkeys: Pick<Passkeys, 'possible'>;
  /** Where a request comes from, for the record and for mails that tell of a change. */
  originOf(ctx: Context): Origin;
}

type AskedDeps = Pick<LoginDeps, 'originOf' | 'devices'>;

/** Who asks on a page of this flow, on the way to which application. */
export function askedBy({ originOf, devices }: AskedDeps, ctx: Context, { flow }: FlowPage): Asked {
  return { by: originOf(ctx), client: flow.client?.clientId, device: devices.of(ctx) };
}

/** The page of the first step, with the ways in that the operator allows. */
export function signInForm(
  { registration, emailSignIn, passkeys }: Pick<LoginDeps, 'registration' | 'emailSignIn' | 'passkeys'>,
  { flow, show }: FlowPage,
  data: object,
): void {
  const hint = flow.interaction.params['login_hint'];
  const mailAction = `/login/${flow.uid}/email`;
  const passwords = emailSignIn !== 'instead';
  show('login/sign-in', {
    action: passwords ? `/login/${flow.uid}` : mailAction,
    mailAction: emailSignIn === 'allowed' ? mailAction : null,
    passwords,
    passkey: passkeys.possible ? passkeyForm(flow, 'sign-in') : null,
    registerUrl: registration.rules.mode === 'open' ? `/register/${flow.uid}` : null,
    forgotUrl: `/forgot/${flow.uid}`,
    cancelAction: `/login/${flow.uid}/cancel`,
    email: typeof hint === 'string' && hint.length <= 320 ? hint : '',
    ...data,
  });
}

export function mountSignIn(router: Router, deps: LoginDeps): void {
  const { pages, login, accounts, recovery, renderer } = deps;
  const form = (page: FlowPage, data: object) => signInForm(deps, page, data);

  router.get('/login/:uid', async (ctx) => {
    const notice = ctx.query['notice'] === 'password-changed' ? 'password-changed' : null;
    const page = await pages.open(ctx);
    if (await login.continued(ctx, page.flow)) return;
    form(page, { notice });
  });

  const byPassword = (ctx: Context) =>
    pages.submit(
      ctx,
      SignInForm,
      async (page, { email, password }) => {
        const { flow, locale } = page;
        const { account, settled } = await accounts.authenticate({ email, password, ...askedBy(deps, ctx, page) });
        if (account.emailVerifiedAt !== null) {
          await Promise.all([settled, login.proved(ctx, flow, account, ['pwd'])]);
          return;
        }
        // What is mailed now is judged by the counts, too.
        await settled;
        await recovery.startVerification({ flow: flow.uid, account, locale });
        ctx.redirect(`/verify/${flow.uid}`);
        ctx.status = 303;
      },
      (page, { email }, errors) => form(page, { email, errors }),
    );
  if (deps.emailSignIn !== 'instead') router.post('/login/:uid', byPassword);

  router.post('/login/:uid/cancel', (ctx) =>
    pages.submit(
      ctx,
      ButtonForm,
      ({ flow }) => login.refused(ctx, flow, 'the person went back without signing in'),
      (page, _form, errors) => form(page, { errors }),
    ),
  );

  // A page that was opened without a sign-in under way says so and offers a way on.
  router.get(['/login', '/register', '/verify', '/forgot', '/reset', '/consent'], (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx, 'login/no-interaction', { loginUrl: '/account' });
  });
}
