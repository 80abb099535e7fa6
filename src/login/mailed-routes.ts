/** Signing in by mail: the page that waits for the code, and the page behind the mail's link. Opening that changes
 * nothing, as mail scanners open links, too. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { MailedSignIn, Opened } from '../accounts/mailed-sign-in.ts';
import { AppError, type FieldError } from '../errors.ts';
import { readForm } from '../http/body.ts';
import type { Csrf } from '../http/csrf.ts';
import type { Flow } from './flows.ts';
import { ButtonForm, CodeForm, MailSignInForm, WordsForm } from './forms.ts';
import type { FlowPage } from './pages.ts';
import { seeOther } from './register-routes.ts';
import { askedBy, type LoginDeps, signInForm } from './routes.ts';

export interface MailedDeps extends LoginDeps {
  mailedSignIn: MailedSignIn;
  csrf: Csrf;
}

export function mountMailedSignIn(router: Router, deps: MailedDeps): void {
  const { pages, login, mailedSignIn, challenges, flows, csrf, renderer, originOf } = deps;
  const binding = (token: string) => `sign-in link:${token}`;

  async function codePage({ flow, show }: FlowPage, data: object): Promise<void> {
    const awaited = await mailedSignIn.awaited(flow.uid);
    if (!awaited) {
      throw new AppError('interaction_expired', {
        message: 'No code is awaited here. Start again from the sign-in page.',
      });
    }
    show('login/mailed', {
      action: `/login/${flow.uid}/email/code`,
      resendAction: `/login/${flow.uid}/email/resend`,
      confirmedAction: `/login/${flow.uid}/email/confirmed`,
      restartUrl: `/login/${flow.uid}`,
      minutes: challenges.rules.minutes,
      notice: 'sent',
      ...awaited,
      ...data,
    });
  }

  router.post('/login/:uid/email', (ctx) =>
    pages.submit(
      ctx,
      MailSignInForm,
      async (page, { email }) => {
        const { flow, locale, common } = page;
        const application = common.client?.name ?? null;
        await mailedSignIn.start({ flow: flow.uid, email, locale, application, ...askedBy(deps, ctx, page) });
        seeOther(ctx, `/login/${flow.uid}/email`);
      },
      (page, { email }, errors) => signInForm(deps, page, { email, errors }),
    ),
  );

  router.get('/login/:uid/email', async (ctx) => {
    await codePage(await pages.open(ctx), { notice: ctx.query['notice'] === 'resent' ? 'resent' : 'sent' });
  });

  router.post('/login/:uid/email/code', (ctx) =>
    pages.submit(
      ctx,
      CodeForm,
      async (page, { code }) => {
        const account = await mailedSignIn.prove(page.flow.uid, code, askedBy(deps, ctx, page));
        await login.proved(ctx, page.flow, account, ['email']);
      },
      (page, _form, errors) => codePage(page, { notice: null, errors }),
    ),
  );

  router.post('/login/:uid/email/resend', (ctx) =>
    pages.submit(
      ctx,
      ButtonForm,
      async ({ flow }) => {
        await mailedSignIn.resend(flow.uid, deps.devices.of(ctx));
        seeOther(ctx, `/login/${flow.uid}/email?notice=resent`);
      },
      (page, _form, errors) => codePage(page, { notice: null, errors }),
    ),
  );

  router.post('/login/:uid/email/confirmed', (ctx) =>
    pages.submit(
      ctx,
      ButtonForm,
      async (page) => {
        const account = await mailedSignIn.confirmed(page.flow.uid, askedBy(deps, ctx, page));
        await login.proved(ctx, page.flow, account, ['email']);
      },
      (page, _form, errors) => codePage(page, { notice: null, errors }),
    ),
  );

  /** The flow, if this is the browser that asked. */
  async function ownFlow(ctx: Context, { flow }: Opened): Promise<Flow | undefined> {
    try {
      return await flows.load(ctx, flow);
    } catch (error) {
      if (error instanceof AppError && error.code === 'interaction_expired') return undefined;
      throw error;
    }
  }

  async function linkPage(ctx: Context, token: string, data: object): Promise<void> {
    const opened = await mailedSignIn.open(token);
    ctx.set('Cache-Control', 'no-store');
    const { application, device, ip, at } = opened.asking;
    renderer.page(ctx, 'login/mailed-link', {
      here: (await ownFlow(ctx, opened)) !== undefined,
      action: `/sign-in/${token}`,
      refuseAction: `/sign-in/${token}/refuse`,
      csrf: csrf.token(binding(token)),
      ...{ email: opened.email, application, device, ip, at: new Date(at).toISOString() },
      errors: [] as FieldError[],
      ...data,
    });
  }

  const done = (ctx: Context, outcome: 'confirmed' | 'refused') => {
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx, 'login/mailed-done', { outcome });
  };

  router.get('/sign-in/:token', (ctx) => linkPage(ctx, String(ctx['params'].token), {}));

  router.post('/sign-in/:token', async (ctx) => {
    const token = String(ctx['params'].token);
    const form = await readForm(ctx, WordsForm);
    csrf.check(ctx, binding(token), form.csrf);
    const flow = await ownFlow(ctx, await mailedSignIn.open(token));
    if (flow) {
      const asked = { by: originOf(ctx), client: flow.client?.clientId };
      return login.proved(ctx, flow, await mailedSignIn.follow(token, asked), ['email']);
    }
    try {
      await mailedSignIn.confirm(token, form.words, originOf(ctx));
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'invalid_code') throw error;
      // The last try killed the link: there is no form to show again.
      if (error.fields.some(({ values }) => values?.['left'] === 0)) throw error;
      ctx.status = error.status;
      return linkPage(ctx, token, { errors: error.fields });
    }
    done(ctx, 'confirmed');
  });

  router.post('/sign-in/:token/refuse', async (ctx) => {
    const token = String(ctx['params'].token);
    const form = await readForm(ctx, ButtonForm);
    csrf.check(ctx, binding(token), form.csrf);
    await mailedSignIn.refuse(token, originOf(ctx));
    done(ctx, 'refused');
  });
}
