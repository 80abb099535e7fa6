/** The page behind an invitation's link: opening it changes nothing, sending the form makes the account. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import { displayEmail } from '../accounts/email.ts';
import type { Invitations } from '../accounts/invitations.ts';
import type { Origin } from '../audit/events.ts';
import { AppError, type FieldError } from '../errors.ts';
import { readForm } from '../http/body.ts';
import type { Csrf } from '../http/csrf.ts';
import type { Renderer } from '../http/render.ts';
import { invitationForm } from './forms.ts';
import { seeOther } from './register-routes.ts';

export interface InvitationDeps {
  invitations: Invitations;
  csrf: Csrf;
  renderer: Renderer;
  passwordLength: { min: number };
  emailSignIn: 'off' | 'allowed' | 'instead';
  originOf(ctx: Context): Origin;
}

export function mountInvitations(
  router: Router,
  { invitations, csrf, renderer, passwordLength, emailSignIn, originOf }: InvitationDeps,
): void {
  const passwords = emailSignIn !== 'instead';
  const binding = (token: string) => `invitation:${token}`;

  async function show(ctx: Context, token: string, data: { name?: string; errors: FieldError[] }): Promise<void> {
    const invited = await invitations.find(token);
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx, 'login/invitation', {
      action: `/invitation/${token}`,
      csrf: csrf.token(binding(token)),
      email: displayEmail(invited.email),
      name: data.name ?? invited.name ?? '',
      passwords,
      minLength: passwordLength.min,
      errors: data.errors,
    });
  }

  router.get('/invitation/:token', (ctx) => show(ctx, String(ctx['params'].token), { errors: [] }));

  router.post('/invitation/:token', async (ctx) => {
    const token = String(ctx['params'].token);
    const form = await readForm(ctx, invitationForm(passwords));
    csrf.check(ctx, binding(token), form.csrf);
    try {
      await invitations.accept(token, { name: form.name, password: form.password ?? null, by: originOf(ctx) });
    } catch (error) {
      if (!(error instanceof AppError) || error.fields.length === 0) throw error;
      ctx.status = error.status;
      return show(ctx, token, { name: form.name, errors: error.fields });
    }
    seeOther(ctx, '/account');
  });
}
