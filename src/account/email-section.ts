/** Another e-mail address: what it shall be, then the code that went there. */
import type Router from '@koa/router';
import { z } from 'zod';
import type { EmailChange } from '../accounts/email-change.ts';
import { AppError } from '../errors.ts';
import type { I18n } from '../http/i18n.ts';
import { type Area, Button, csrfField, type Section } from './area.ts';
import type { SignedIn } from './entrance.ts';

export interface EmailDeps {
  emailChange: EmailChange;
  i18n: Pick<I18n, 'negotiate'>;
  challenges: { rules: { minutes: number } };
}

const AddressForm = z.strictObject({ csrf: csrfField, email: z.string().max(320) });
const CodeForm = z.strictObject({
  csrf: csrfField,
  code: z
    .string()
    .max(40)
    .transform((value) => value.replace(/[\s-]/g, '')),
});

export function mountEmail(router: Router, area: Area, { emailChange, i18n, challenges }: EmailDeps): void {
  /** A code belongs to the browser session that asked for it. */
  const flowOf = ({ session }: SignedIn) => `session:${session.uid}`;

  const address: Section = {
    name: 'email',
    nav: 'overview',
    freshAt: '/account/email',
    data: async () => ({ action: '/account/email', value: '' }),
  };

  const code: Section = {
    name: 'email-code',
    nav: 'overview',
    freshAt: '/account/email/code',
    async data(who) {
      const email = await emailChange.pending(who.account, flowOf(who));
      if (!email) throw new AppError('code_expired', { message: 'No code is awaited here. Ask for a new one.' });
      return {
        action: '/account/email/code',
        resendAction: '/account/email/resend',
        restartUrl: '/account/email',
        email,
        minutes: challenges.rules.minutes,
      };
    },
  };

  router.get('/account/email', area.page(address));

  router.post(
    '/account/email',
    area.action(
      address,
      AddressForm,
      async (ctx, who, { email }) => {
        const locale = i18n.negotiate({
          uiLocales: who.account.profile.locale ?? '',
          acceptLanguage: ctx.get('accept-language'),
        });
        const by = area.originOf(ctx);
        const asked = await emailChange.start(who.account, { flow: flowOf(who), email, locale, by });
        return asked === 'done' ? '/account?notice=email-changed' : '/account/email/code';
      },
      ({ email }) => ({ value: email }),
    ),
  );

  router.get('/account/email/code', async (ctx) => {
    const who = await area.entrance.requireFresh(ctx);
    if (!who) return;
    if (await emailChange.pending(who.account, flowOf(who))) return area.page(code)(ctx);
    ctx.redirect('/account/email');
    ctx.status = 303;
  });

  router.post(
    '/account/email/code',
    area.action(code, CodeForm, async (ctx, who, form) => {
      const keep = { session: who.session.uid };
      const by = area.originOf(ctx);
      await emailChange.confirm(who.account, { flow: flowOf(who), code: form.code, keep, by });
      return '/account?notice=email-changed';
    }),
  );

  router.post(
    '/account/email/resend',
    area.action(code, Button, async (_ctx, who) => {
      await emailChange.resend(who.account, flowOf(who));
      return '/account/email/code?notice=resent';
    }),
  );
}
