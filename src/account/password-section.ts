/** My password. Changing it takes the one until now and a fresh proof. */
import type Router from '@koa/router';
import { z } from 'zod';
import type { Accounts } from '../accounts/accounts.ts';
import type { IsFresh } from '../factors/freshness.ts';
import { type Area, csrfField, passwordField, type Section, textField } from './area.ts';

export interface PasswordDeps {
  isFresh: IsFresh;
  accounts: Accounts;
  passwordLength: { min: number };
}

const PATH = '/account/security/password';
const PROVE_PATH = `${PATH}/prove`;
const PasswordForm = z.strictObject({
  csrf: csrfField,
  current_password: passwordField,
  new_password: passwordField,
  username: textField.optional(),
});

export function mountPassword(router: Router, area: Area, { accounts, isFresh, passwordLength }: PasswordDeps): void {
  const section: Section = {
    name: 'password',
    nav: 'security',
    data: async ({ account, session }) => ({
      // The page can be read at any time; its form asks for a fresh proof first.
      proveUrl: (await isFresh(session)) ? null : PROVE_PATH,
      action: account.passwordHash === null ? null : PATH,
      minLength: passwordLength.min,
      passwordChangedAt: account.passwordChangedAt && new Date(account.passwordChangedAt).toISOString(),
    }),
  };

  router.get(PATH, area.page(section));

  router.get(PROVE_PATH, async (ctx) => {
    if (!(await area.entrance.requireFresh(ctx))) return;
    ctx.redirect(PATH);
    ctx.status = 303;
  });

  router.post(
    PATH,
    area.action({ ...section, freshAt: PATH }, PasswordForm, async (ctx, who, form) => {
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
