/** "This wasn't me", from the link of a mail: no sign-in is needed, opening it changes nothing, its button works once.
 * A new password is chosen right after it, by a mailed code. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { Disowning } from '../accounts/disowning.ts';
import { newIdentifier } from '../artifacts/identifier.ts';
import { AppError, type FieldError } from '../errors.ts';
import { readForm } from '../http/body.ts';
import type { Csrf } from '../http/csrf.ts';
import { ButtonForm, ResetForm } from './forms.ts';
import { seeOther } from './register-routes.ts';
import type { LoginDeps } from './routes.ts';

export interface NotMeDeps
  extends Pick<
    LoginDeps,
    'renderer' | 'recovery' | 'accounts' | 'challenges' | 'passwordLength' | 'emailSignIn' | 'originOf'
  > {
  disowning: Disowning;
  csrf: Csrf;
}

export function mountNotMe(router: Router, deps: NotMeDeps): void {
  const { disowning, csrf, renderer, recovery, accounts, challenges, passwordLength, originOf } = deps;
  const binding = (what: string) => `not me:${what}`;

  function page(ctx: Context, name: string, data: object): void {
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx, name, { errors: [], notice: null, ...data });
  }

  router.get('/security/not-me/:token', async (ctx) => {
    const token = String(ctx['params'].token);
    const about = await disowning.open(token);
    page(ctx, 'login/not-me', { action: `/security/not-me/${token}`, csrf: csrf.token(binding(token)), ...about });
  });

  router.post('/security/not-me/:token', async (ctx) => {
    const token = String(ctx['params'].token);
    const form = await readForm(ctx, ButtonForm);
    csrf.check(ctx, binding(token), form.csrf);
    const { email } = await disowning.disown(token, originOf(ctx));
    const reset = deps.emailSignIn === 'instead' ? undefined : await startReset(ctx, email);
    if (reset) return seeOther(ctx, reset);
    page(ctx, 'login/not-me-done', { loginUrl: '/account' });
  });

  /** The page where the new password is chosen; undefined when no more codes may be mailed now. */
  async function startReset(ctx: Context, email: string): Promise<string | undefined> {
    const flow = newIdentifier();
    try {
      await recovery.start({ flow, email, locale: String(ctx.state['locale']), by: originOf(ctx) });
      return `/security/new-password/${flow}`;
    } catch (error) {
      if (error instanceof AppError && error.code === 'too_many_attempts') return undefined;
      throw error;
    }
  }

  async function resetPage(ctx: Context, data: { notice: string | null; errors?: FieldError[] }): Promise<void> {
    const flow = String(ctx['params'].flow);
    const pending = await challenges.pending(flow, ['reset']);
    if (!pending) {
      throw new AppError('interaction_expired', { message: 'No code is awaited here. Ask for a new one.' });
    }
    page(ctx, 'login/reset', {
      action: `/security/new-password/${flow}`,
      resendAction: `/security/new-password/${flow}/resend`,
      csrf: csrf.token(binding(flow)),
      client: null,
      loginUrl: '/account',
      email: pending.sent_to,
      minutes: challenges.rules.minutes,
      minLength: passwordLength.min,
      ...data,
    });
  }

  if (deps.emailSignIn === 'instead') return;

  router.get('/security/new-password/:flow', (ctx) =>
    resetPage(ctx, { notice: ctx.query['notice'] === 'resent' ? 'resent' : 'disowned' }),
  );

  router.post('/security/new-password/:flow', async (ctx) => {
    const flow = String(ctx['params'].flow);
    const form = await readForm(ctx, ResetForm);
    csrf.check(ctx, binding(flow), form.csrf);
    try {
      const { code, password } = form;
      const account = await recovery.reset({ flow, code, password, by: originOf(ctx) });
      await accounts.passwordChanged(account, originOf(ctx));
    } catch (error) {
      if (!(error instanceof AppError) || error.fields.length === 0) throw error;
      ctx.status = error.status;
      return resetPage(ctx, { notice: null, errors: error.fields });
    }
    seeOther(ctx, '/account');
  });

  router.post('/security/new-password/:flow/resend', async (ctx) => {
    const flow = String(ctx['params'].flow);
    const form = await readForm(ctx, ButtonForm);
    csrf.check(ctx, binding(flow), form.csrf);
    await recovery.resend(flow, 'reset');
    seeOther(ctx, `/security/new-password/${flow}?notice=resent`);
  });
}
