/** The account pages: who I am, where I am signed in, which applications may what, my password. Doors only. */
import type Router from '@koa/router';
import type { Context } from 'koa';
import { z } from 'zod';
import type { Accounts, Origin } from '../accounts/accounts.ts';
import type { AuditLog } from '../audit/log.ts';
import { AppError, type FieldError } from '../errors.ts';
import { readForm } from '../http/body.ts';
import type { Csrf } from '../http/csrf.ts';
import type { I18n } from '../http/i18n.ts';
import type { Renderer } from '../http/render.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { CALLBACK_PATH, type Entrance, type SignedIn } from './entrance.ts';
import { type AccountSection, createAccountViews } from './views.ts';

export interface AccountPagesDeps {
  entrance: Entrance;
  accounts: Accounts;
  sessions: Sessions;
  audit: Pick<AuditLog, 'list'>;
  csrf: Csrf;
  i18n: I18n;
  renderer: Renderer;
  passwordLength: { min: number };
  originOf(ctx: Context): Origin;
}

const csrf = z.string().max(500);
const text = z.string().max(1000);
const Button = z.strictObject({ csrf });
const ProfileForm = z.strictObject({
  csrf,
  name: text,
  given_name: text.optional(),
  family_name: text.optional(),
  preferred_username: text.optional(),
  locale: text.optional(),
  zoneinfo: text.optional(),
});
const PasswordForm = z.strictObject({
  csrf,
  current_password: z.string().max(4096),
  new_password: z.string().max(4096),
  username: text.optional(),
});

export function mountAccountPages(router: Router, deps: AccountPagesDeps): void {
  const { entrance, accounts, sessions, renderer, originOf } = deps;
  const views = createAccountViews(deps);
  const binding = (who: SignedIn) => `session:${who.session.uid}`;

  async function show(ctx: Context, who: SignedIn, section: AccountSection, more: object = {}): Promise<void> {
    ctx.state['isolate'] = true;
    ctx.state['locale'] = deps.i18n.negotiate({
      uiLocales: who.account.profile.locale ?? '',
      acceptLanguage: ctx.get('accept-language'),
    });
    ctx.set('Cache-Control', 'no-store');
    const notice = typeof ctx.query['notice'] === 'string' ? ctx.query['notice'] : null;
    const common = {
      csrf: deps.csrf.token(binding(who)),
      signOutAction: '/account/sign-out',
      nav: section,
      errors: [],
    };
    const before = typeof ctx.query['before'] === 'string' ? ctx.query['before'] : '';
    const cursor = EVENT_ID.test(before) ? before : undefined;
    const data = await views[section](who, String(ctx.state['locale']), cursor);
    renderer.page(ctx, `account/${section}`, {
      ...common,
      notice: NOTICES.has(notice ?? '') ? notice : null,
      ...data,
      ...more,
    });
  }

  const page = (section: AccountSection) => async (ctx: Context) => {
    const who = await entrance.require(ctx);
    if (who) await show(ctx, who, section);
  };

  /** A POST of a signed-in person: form, anti-forgery token, work; mendable faults come back with the page. */
  function action<Schema extends z.ZodType<{ csrf: string }>>(
    section: AccountSection,
    schema: Schema,
    work: (ctx: Context, who: SignedIn, form: z.infer<Schema>) => Promise<string>,
  ) {
    return async (ctx: Context) => {
      const who = await entrance.require(ctx);
      if (!who) return;
      const form = await readForm(ctx, schema);
      deps.csrf.check(ctx, binding(who), form.csrf);
      try {
        ctx.redirect(await work(ctx, who, form));
        ctx.status = 303;
      } catch (error) {
        const fields: FieldError[] = error instanceof AppError ? error.fields : [];
        if (fields.length === 0) throw error;
        ctx.status = 400;
        const { csrf: _token, current_password: _a, new_password: _b, ...values } = form as Record<string, unknown>;
        await show(ctx, who, section, { errors: fields, ...(section === 'overview' ? { values } : {}) });
      }
    };
  }

  router.get('/account', page('overview'));
  router.get('/account/sessions', page('sessions'));
  router.get('/account/apps', page('apps'));
  router.get('/account/security', page('security'));
  router.get('/account/events', page('events'));

  router.get(CALLBACK_PATH, async (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    if (ctx.query['error'] === 'access_denied')
      return renderer.page(ctx, 'login/no-interaction', { loginUrl: '/account' });
    ctx.redirect(await entrance.returnPath(ctx));
    ctx.status = 303;
  });

  router.post(
    '/account',
    action('overview', ProfileForm, async (ctx, who, { csrf: _token, ...profile }) => {
      await accounts.changeProfile(who.account.id, profile, originOf(ctx));
      return '/account?notice=profile-saved';
    }),
  );

  router.post(
    '/account/security',
    action('security', PasswordForm, async (ctx, who, form) => {
      await accounts.changePassword(who.account.id, {
        current: form.current_password,
        next: form.new_password,
        keep: { session: who.session.uid },
        origin: originOf(ctx),
      });
      return '/account/security?notice=password-changed';
    }),
  );

  router.post(
    '/account/sessions/end-others',
    action('sessions', Button, async (ctx, who) => {
      await sessions.revokeAll(who.account.id, { session: who.session.uid }, originOf(ctx));
      return '/account/sessions?notice=others-ended';
    }),
  );

  router.post('/account/sessions/:id/end', async (ctx) => {
    const end = action('sessions', Button, async (_ctx, who) => {
      const id = String(ctx['params'].id);
      await sessions.revoke(who.account.id, id, originOf(ctx));
      if (id !== who.session.uid) return '/account/sessions?notice=session-ended';
      entrance.forget(ctx);
      return '/account/signed-out';
    });
    await end(ctx);
  });

  router.post('/account/apps/:clientId/remove', async (ctx) => {
    const remove = action('apps', Button, async (_ctx, who) => {
      await sessions.removeApp(who.account.id, String(ctx['params'].clientId), originOf(ctx));
      return '/account/apps?notice=app-removed';
    });
    await remove(ctx);
  });

  router.post(
    '/account/sign-out',
    action('overview', Button, async (ctx, who) => {
      await sessions.signOut(who.session.uid, originOf(ctx));
      entrance.forget(ctx);
      return '/account/signed-out';
    }),
  );

  router.get('/account/signed-out', (ctx) => {
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx, 'login/signed-out', { client: null, loginUrl: '/account' });
  });
}

/** Events are paged by their ids. */
const EVENT_ID = /^[\w-]{1,100}$/;
const NOTICES = new Set(['profile-saved', 'password-changed', 'others-ended', 'session-ended', 'app-removed']);
