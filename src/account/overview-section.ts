/** Who I am: the profile, and how much there is in the other sections. */
import type Router from '@koa/router';
import { z } from 'zod';
import type { Accounts } from '../accounts/accounts.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { type Area, csrfField, type Section, textField } from './area.ts';

export interface OverviewDeps {
  accounts: Accounts;
  sessions: Sessions;
}

const ProfileForm = z.strictObject({
  csrf: csrfField,
  name: textField,
  given_name: textField.optional(),
  family_name: textField.optional(),
  preferred_username: textField.optional(),
  locale: textField.optional(),
  zoneinfo: textField.optional(),
});

export function mountOverview(router: Router, area: Area, { accounts, sessions }: OverviewDeps): void {
  const section: Section = {
    name: 'overview',
    async data({ account, session }) {
      const [list, apps] = await Promise.all([sessions.list(account.id, session.uid), sessions.apps(account.id)]);
      return {
        values: Object.fromEntries(Object.entries(account.profile).map(([field, value]) => [field, value ?? ''])),
        action: '/account',
        emailUrl: '/account/email',
        dataUrl: '/account/data',
        sessionsCount: list.length,
        appsCount: apps.length,
        passwordChangedAt: account.passwordChangedAt && new Date(account.passwordChangedAt).toISOString(),
      };
    },
  };

  router.get('/account', area.page(section));

  router.post(
    '/account',
    area.action(
      section,
      ProfileForm,
      async (ctx, who, { csrf: _token, ...profile }) => {
        await accounts.changeProfile(who.account.id, profile, area.originOf(ctx));
        return '/account?notice=profile-saved';
      },
      ({ csrf: _token, ...values }) => ({ values }),
    ),
  );
}
