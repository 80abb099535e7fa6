/** The pages behind the link that tells an old address of a new one: opening them changes nothing. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { Accounts } from '../accounts/accounts.ts';
import type { EmailRestore } from '../accounts/email-restore.ts';
import type { Origin } from '../audit/events.ts';
import { AppError, type FieldError } from '../errors.ts';
import { readForm } from '../http/body.ts';
import type { Csrf } from '../http/csrf.ts';
import type { Renderer } from '../http/render.ts';
import { ButtonForm, NewPasswordForm } from './forms.ts';
import { seeOther } from './register-routes.ts';

export interface EmailRestoreDeps {
  emailRestore: EmailRestore;
  accounts: Pick<Accounts, 'passwordChanged'>;
  csrf: Csrf;
  renderer: Renderer;
  passwordLength: { min: number };
  originOf(ctx: Context): Origin;
}

export function mountEmailRestore(router: Router, deps: EmailRestoreDeps): void {
  const { emailRestore, accounts, csrf, renderer, passwordLength, originOf } = deps;
  const binding = (token: string) => `email restore:${token}`;

  function show(ctx: Context, name: string, data: object): void {
    const token = String(ctx['params'].token);
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx, `login/${name}`, { action: ctx.path, csrf: csrf.token(binding(token)), errors: [], ...data });
  }

  async function passwordPage(ctx: Context, errors: FieldError[] = []): Promise<void> {
    const { email } = await emailRestore.findPassword(String(ctx['params'].token));
    show(ctx, 'restore-password', { email, errors, minLength: passwordLength.min });
  }

  router.get('/email/restore/:token', async (ctx) => {
    show(ctx, 'restore-email', await emailRestore.find(String(ctx['params'].token)));
  });

  router.post('/email/restore/:token', async (ctx) => {
    const token = String(ctx['params'].token);
    const form = await readForm(ctx, ButtonForm);
    csrf.check(ctx, binding(token), form.csrf);
    seeOther(ctx, `/email/password/${await emailRestore.restore(token, originOf(ctx))}`);
  });

  router.get('/email/password/:token', (ctx) => passwordPage(ctx));

  router.post('/email/password/:token', async (ctx) => {
    const token = String(ctx['params'].token);
    const form = await readForm(ctx, NewPasswordForm);
    csrf.check(ctx, binding(token), form.csrf);
    try {
      const account = await emailRestore.setPassword(token, form.password, originOf(ctx));
      await accounts.passwordChanged(account, originOf(ctx));
    } catch (error) {
      if (!(error instanceof AppError) || error.fields.length === 0) throw error;
      ctx.status = error.status;
      return passwordPage(ctx, error.fields);
    }
    seeOther(ctx, '/account');
  });
}
