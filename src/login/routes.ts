/** The hosted sign-in pages: sign in, and what leads from there. Every address carries the flow's id. */
import type Router from '@koa/router';
import type { Accounts } from '../accounts/accounts.ts';
import type { Challenges } from '../accounts/challenges.ts';
import type { Recovery } from '../accounts/recovery.ts';
import type { Registration } from '../accounts/registration.ts';
import type { Renderer } from '../http/render.ts';
import type { Flows } from './flows.ts';
import { ButtonForm, SignInForm } from './forms.ts';
import type { Login } from './login.ts';
import type { FlowPage, Pages } from './pages.ts';

export interface LoginDeps {
  flows: Flows;
  pages: Pages;
  login: Login;
  accounts: Accounts;
  registration: Registration;
  recovery: Recovery;
  challenges: Challenges;
  renderer: Renderer;
  passwordLength: { min: number; max: number };
}

export function mountSignIn(
  router: Router,
  { pages, login, accounts, registration, recovery, renderer }: LoginDeps,
): void {
  function form({ flow, show }: FlowPage, data: object): void {
    const hint = flow.interaction.params['login_hint'];
    show('login/sign-in', {
      action: `/login/${flow.uid}`,
      registerUrl: registration.rules.mode === 'open' ? `/register/${flow.uid}` : null,
      forgotUrl: `/forgot/${flow.uid}`,
      cancelAction: `/login/${flow.uid}/cancel`,
      email: typeof hint === 'string' && hint.length <= 320 ? hint : '',
      ...data,
    });
  }

  router.get('/login/:uid', async (ctx) => {
    const notice = ctx.query['notice'] === 'password-changed' ? 'password-changed' : null;
    form(await pages.open(ctx), { notice });
  });

  router.post('/login/:uid', (ctx) =>
    pages.submit(
      ctx,
      SignInForm,
      async ({ flow, locale }, { email, password }) => {
        const account = await accounts.authenticate({ email, password });
        if (account.emailVerifiedAt === null) {
          await recovery.startVerification({ flow: flow.uid, account, locale });
          ctx.redirect(`/verify/${flow.uid}`);
          ctx.status = 303;
          return;
        }
        await login.proved(ctx, flow, account, ['pwd']);
      },
      (page, { email }, errors) => form(page, { email, errors }),
    ),
  );

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
