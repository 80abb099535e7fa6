/** A forgotten password: a code by mail, then a new password. Signs nobody in. */
import type Router from '@koa/router';
import { displayEmail } from '../accounts/email.ts';
import { AppError } from '../errors.ts';
import { ButtonForm, EmailForm, ResetForm } from './forms.ts';
import type { FlowPage } from './pages.ts';
import { seeOther } from './register-routes.ts';
import { askedBy, type LoginDeps } from './routes.ts';

export function mountRecovery(router: Router, deps: LoginDeps): void {
  const { pages, recovery, challenges, accounts, passwordLength, originOf, devices } = deps;

  function form({ flow, show }: FlowPage, data: object): void {
    show('login/forgot', { action: `/forgot/${flow.uid}`, loginUrl: `/login/${flow.uid}`, email: '', ...data });
  }

  async function resetPage({ flow, show }: FlowPage, data: object): Promise<void> {
    const pending = await challenges.pending(flow.uid, ['reset']);
    if (!pending) {
      throw new AppError('interaction_expired', { message: 'No code is awaited here. Ask for a new one.' });
    }
    show('login/reset', {
      action: `/reset/${flow.uid}`,
      resendAction: `/reset/${flow.uid}/resend`,
      loginUrl: `/login/${flow.uid}`,
      email: displayEmail(pending.sent_to),
      minutes: challenges.rules.minutes,
      minLength: passwordLength.min,
      notice: 'sent',
      ...data,
    });
  }

  router.get('/forgot/:uid', async (ctx) => form(await pages.open(ctx), {}));

  router.post('/forgot/:uid', (ctx) =>
    pages.submit(
      ctx,
      EmailForm,
      async (page, { email }) => {
        const { flow, locale } = page;
        await recovery.start({ flow: flow.uid, email, locale, ...askedBy(deps, ctx, page) });
        seeOther(ctx, `/reset/${flow.uid}`);
      },
      (page, { email }, errors) => form(page, { email, errors }),
    ),
  );

  router.get('/reset/:uid', async (ctx) => {
    await resetPage(await pages.open(ctx), { notice: ctx.query['notice'] === 'resent' ? 'resent' : 'sent' });
  });

  router.post('/reset/:uid', (ctx) =>
    pages.submit(
      ctx,
      ResetForm,
      async (page, { code, password }) => {
        const { flow } = page;
        const account = await recovery.reset({ flow: flow.uid, code, password, ...askedBy(deps, ctx, page) });
        await accounts.passwordChanged(account, originOf(ctx));
        seeOther(ctx, `/login/${flow.uid}?notice=password-changed`);
      },
      (page, _form, errors) => resetPage(page, { notice: null, errors }),
    ),
  );

  router.post('/reset/:uid/resend', (ctx) =>
    pages.submit(
      ctx,
      ButtonForm,
      async ({ flow }) => {
        await recovery.resend(flow.uid, 'reset', devices.of(ctx));
        seeOther(ctx, `/reset/${flow.uid}?notice=resent`);
      },
      (page, _form, errors) => resetPage(page, { notice: null, errors }),
    ),
  );
}
