/** The page behind the link that stops the removal of lost factors: no sign-in is needed, opening it changes nothing, its
 * button works once. */
import type Router from '@koa/router';
import type { FactorRecovery } from '../accounts/factor-recovery.ts';
import { readForm } from '../http/body.ts';
import type { Csrf } from '../http/csrf.ts';
import { ButtonForm } from './forms.ts';
import type { LoginDeps } from './routes.ts';

export interface KeepFactorsDeps extends Pick<LoginDeps, 'renderer' | 'originOf'> {
  factorRecovery: Pick<FactorRecovery, 'openLink' | 'stopByLink'>;
  csrf: Csrf;
}

export function mountKeepFactors(router: Router, { factorRecovery, csrf, renderer, originOf }: KeepFactorsDeps): void {
  const binding = (token: string) => `keep factors:${token}`;

  router.get('/security/keep-factors/:token', async (ctx) => {
    const token = String(ctx['params'].token);
    const { requestedAt, endsAt } = await factorRecovery.openLink(token);
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx, 'login/keep-factors', {
      action: ctx.path,
      csrf: csrf.token(binding(token)),
      errors: [],
      when: new Date(requestedAt).toISOString(),
      until: new Date(endsAt).toISOString(),
    });
  });

  router.post('/security/keep-factors/:token', async (ctx) => {
    const token = String(ctx['params'].token);
    const form = await readForm(ctx, ButtonForm);
    csrf.check(ctx, binding(token), form.csrf);
    await factorRecovery.stopByLink(token, originOf(ctx));
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx, 'login/keep-factors-done', { securityUrl: '/account/security' });
  });
}
