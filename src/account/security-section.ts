/** My password. */
import type Router from '@koa/router';
import { z } from 'zod';
import type { Accounts } from '../accounts/accounts.ts';
import type { IsFresh } from '../factors/freshness.ts';
import { type Area, csrfField, passwordField, type Section, textField } from './area.ts';

export interface SecurityDeps {
  isFresh: IsFresh;
  accounts: Accounts;
  passwordLength: { min: number };
}

const PasswordForm = z.strictObject({
  csrf: csrfField,
  current_password: passwordField,
  new_password: passwordField,
  username: textField.optional(),
});

export function mountSecurity(router: Router, area: Area, { accounts, isFresh, passwordLength }: SecurityDeps): void {
  const section: Section = {
    name: 'security',
    data: async ({ account, session }) => ({
      // The page can be read at any time; its form asks for a fresh proof first.
      proveUrl: (await isFresh(session)) ? null : '/account/security/prove',
      action: '/account/security',
      eventsUrl: '/account/events',
      minLength: passwordLength.min,
      passwordChangedAt: account.passwordChangedAt && new Date(account.passwordChangedAt).toISOString(),
    }),
  };

  router.get('/account/security', area.page(section));

  router.get('/account/security/prove', async (ctx) => {
    if (!(await area.entrance.requireFresh(ctx))) return;
    ctx.redirect('/account/security');
    ctx.status = 303;
  });

  router.post(
    '/account/security',
    area.action({ ...section, freshAt: '/account/security' }, PasswordForm, async (ctx, who, form) => {
      await accounts.changePassword(who.account.id, {
        current: form.current_password,
        next: form.new_password,
        keep: { session: who.session.uid },
        origin: area.originOf(ctx),
      });
      return '/account/security?notice=password-changed';
    }),
  );
}
