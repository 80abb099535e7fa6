/** Registration and the code that proves the address. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import { displayEmail } from '../accounts/email.ts';
import { AppError } from '../errors.ts';
import { ButtonForm, CodeForm, registerForm } from './forms.ts';
import type { FlowPage } from './pages.ts';
import { askedBy, type LoginDeps } from './routes.ts';

export function mountRegistration(router: Router, deps: LoginDeps): void {
  const { pages, login, registration, recovery, challenges, devices, passwordLength } = deps;
  const passwords = deps.emailSignIn !== 'instead';

  function form({ flow, show }: FlowPage, data: object): void {
    const hint = flow.interaction.params['login_hint'];
    if (registration.rules.mode !== 'open') {
      show('login/registration-closed', { loginUrl: `/login/${flow.uid}`, mode: registration.rules.mode });
      return;
    }
    show('login/register', {
      action: `/register/${flow.uid}`,
      loginUrl: `/login/${flow.uid}`,
      passwords,
      minLength: passwordLength.min,
      maxLength: passwordLength.max,
      values: { email: typeof hint === 'string' && hint.length <= 320 ? hint : '', name: '' },
      ...data,
    });
  }

  async function codePage(page: FlowPage, data: object): Promise<void> {
    const { flow, show } = page;
    const pending = await challenges.pending(flow.uid, ['register', 'verify_email']);
    if (!pending) {
      throw new AppError('interaction_expired', {
        message: 'No code is awaited here. Start again from the sign-in page.',
      });
    }
    show('login/verify', {
      action: `/verify/${flow.uid}`,
      resendAction: `/verify/${flow.uid}/resend`,
      restartUrl: pending.purpose === 'register' ? `/register/${flow.uid}` : `/login/${flow.uid}`,
      email: displayEmail(pending.sent_to),
      minutes: challenges.rules.minutes,
      notice: 'sent',
      ...data,
    });
  }

  router.get('/register/:uid', async (ctx) => form(await pages.open(ctx), {}));

  router.post('/register/:uid', (ctx) =>
    pages.submit(
      ctx,
      registerForm(passwords),
      async (page, { email, name, password }) => {
        const { flow, locale } = page;
        const asked = askedBy(deps, ctx, page);
        await registration.start({ flow: flow.uid, email, name, password: password ?? null, locale, ...asked });
        seeOther(ctx, `/verify/${flow.uid}`);
      },
      (page, { email, name }, errors) => form(page, { values: { email, name }, errors }),
    ),
  );

  router.get('/verify/:uid', async (ctx) => {
    await codePage(await pages.open(ctx), { notice: ctx.query['notice'] === 'resent' ? 'resent' : 'sent' });
  });

  router.post('/verify/:uid', (ctx) =>
    pages.submit(
      ctx,
      CodeForm,
      async (page, { code }) => {
        const { flow } = page;
        const asked = askedBy(deps, ctx, page);
        const challenge = await challenges.prove(flow.uid, ['register', 'verify_email'], code, asked.by, asked.device);
        const registered = challenge.purpose === 'register';
        const complete = registered ? registration.complete : recovery.completeVerification;
        const account = await complete(challenge, asked);
        // A password was typed in this very flow before the code went out.
        await login.proved(ctx, flow, account, [passwords ? 'pwd' : 'email']);
      },
      (page, _form, errors) => codePage(page, { notice: null, errors }),
    ),
  );

  router.post('/verify/:uid/resend', (ctx) =>
    pages.submit(
      ctx,
      ButtonForm,
      async ({ flow }) => {
        const pending = await challenges.pending(flow.uid, ['register', 'verify_email']);
        if (pending?.purpose === 'verify_email') await recovery.resend(flow.uid, 'verify_email');
        else await registration.resend(flow.uid, devices.of(ctx));
        seeOther(ctx, `/verify/${flow.uid}?notice=resent`);
      },
      (page, _form, errors) => codePage(page, { notice: null, errors }),
    ),
  );
}

/** RFC 9700 section 4.12: after a form only 303. */
export function seeOther(ctx: Context, path: string): void {
  ctx.redirect(path);
  ctx.status = 303;
}
