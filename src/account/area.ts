/** What the sections of the account area share: who is there, the language, the anti-forgery token, the form again on a
 * fault. Knows no section. */
import type { Context } from 'koa';
import { z } from 'zod';
import { displayEmail } from '../accounts/email.ts';
import type { FactorRecovery } from '../accounts/factor-recovery.ts';
import type { Origin } from '../audit/events.ts';
import { AppError, type FieldError } from '../errors.ts';
import { readForm } from '../http/body.ts';
import type { Csrf } from '../http/csrf.ts';
import type { I18n } from '../http/i18n.ts';
import type { Renderer } from '../http/render.ts';
import type { Entrance, SignedIn } from './entrance.ts';

export interface AreaDeps {
  entrance: Entrance;
  csrf: Csrf;
  i18n: I18n;
  renderer: Renderer;
  originOf(ctx: Context): Origin;
  factorRecovery: Pick<FactorRecovery, 'open'>;
}

/** One page of the area: the template views/account/NAME and the data it takes beyond the common ones. */
export interface Section {
  name: string;
  /** The entry of the navigation; the section's own name unless said. */
  nav?: string;
  /** Page and forms ask for a sign-in of the last ten minutes, which comes back to this path. */
  freshAt?: string;
  /** Also for a session that lacks a factor which is demanded. */
  leaving?: boolean;
  data(who: SignedIn, ctx: Context): Promise<object>;
  /** It shows a secret. */
  secret?: true;
}

/** A page in answer to a form: what it shows is shown this once. */
export interface Shown {
  section: Section;
  data: object;
}

export const csrfField = z.string().max(500);
export const textField = z.string().max(1000);
export const passwordField = z.string().max(4096);
/** A form of one button. */
export const Button = z.strictObject({ csrf: csrfField });

/** What was done, for the page that a form leads to. */
const NOTICES = new Set([
  ...['profile-saved', 'password-changed', 'others-ended', 'session-ended', 'app-removed'],
  ...['email-changed', 'resent', 'device-forgotten'],
  ...['factor-added', 'factor-removed', 'factor-renamed', 'factors-kept'],
]);

export function createArea({ entrance, csrf, i18n, renderer, originOf, factorRecovery }: AreaDeps) {
  const binding = (who: SignedIn) => `session:${who.session.uid}`;

  function speak(ctx: Context, { account }: SignedIn): void {
    const uiLocales = account.profile.locale ?? '';
    ctx.state['locale'] = i18n.negotiate({ uiLocales, acceptLanguage: ctx.get('accept-language') });
  }

  async function show(ctx: Context, who: SignedIn, section: Section, more: object = {}): Promise<void> {
    ctx.state['isolate'] = true;
    speak(ctx, who);
    ctx.set('Cache-Control', 'no-store');
    const notice = String(ctx.query['notice'] ?? '');
    const recovery = await factorRecovery.open(who.account.id);
    renderer.page(ctx, `account/${section.name}`, {
      account: {
        ...personOf(who),
        factorRecovery: recovery && { endsAt: new Date(recovery.endsAt).toISOString() },
      },
      csrf: csrf.token(binding(who)),
      signOutAction: '/account/sign-out',
      nav: section.nav ?? section.name,
      errors: [],
      notice: NOTICES.has(notice) ? notice : null,
      ...(await section.data(who, ctx)),
      ...more,
    });
    // A page that holds a secret beside what others wrote (http/compress.ts).
    if (section.secret) ctx.state['compress'] = false;
  }

  const enter = (ctx: Context, { freshAt, leaving = false }: Pick<Section, 'freshAt' | 'leaving'>) =>
    freshAt === undefined ? entrance.require(ctx, { leaving }) : entrance.requireFresh(ctx, freshAt);

  return {
    entrance,
    renderer,
    originOf,

    page: (section: Section) => async (ctx: Context) => {
      const who = await enter(ctx, section);
      if (who) await show(ctx, who, section);
    },

    /** What a script of one of the pages asks: who is there, with the anti-forgery token in a header. Nothing is asked
     * of a person here. @throws AppError unauthenticated, fresh_proof_required, csrf. */
    async call(ctx: Context): Promise<SignedIn> {
      const who = await entrance.signedIn(ctx);
      if (!who) throw new AppError('unauthenticated', { message: 'Nobody is signed in here.' });
      csrf.check(ctx, binding(who), ctx.get('x-csrf-token') || undefined);
      if (!(await entrance.isFresh(who.session)) || !(await entrance.sufficesHere(ctx, who.session))) {
        throw new AppError('fresh_proof_required', { message: 'Sign in again first: the last time was too long ago.' });
      }
      ctx.set('Cache-Control', 'no-store');
      return who;
    },

    /** A POST of a signed-in person: form, anti-forgery token, work, which gives the address to go on to, or what
     * is shown this once. Mendable faults come back with the page, and with what was typed where `again` says so. */
    action<Schema extends z.ZodType<{ csrf: string }>>(
      section: Section,
      schema: Schema,
      work: (ctx: Context, who: SignedIn, form: z.infer<Schema>) => Promise<string | Shown | undefined>,
      again: (form: z.infer<Schema>) => object = () => ({}),
    ) {
      return async (ctx: Context) => {
        const who = await enter(ctx, section);
        if (!who) return;
        const form = await readForm(ctx, schema);
        csrf.check(ctx, binding(who), form.csrf);
        speak(ctx, who);
        try {
          const next = await work(ctx, who, form);
          // A download has answered already.
          if (next === undefined) return;
          if (typeof next !== 'string') return await show(ctx, who, next.section, next.data);
          ctx.redirect(next);
          ctx.status = 303;
        } catch (error) {
          const fields: FieldError[] = error instanceof AppError ? error.fields : [];
          if (fields.length === 0) throw error;
          ctx.status = (error as AppError).code === 'too_many_attempts' ? 429 : 400;
          await show(ctx, who, section, { errors: fields, ...again(form) });
        }
      };
    },
  };
}

export type Area = ReturnType<typeof createArea>;

/** The person as the frame around every page shows them. */
function personOf({ account }: SignedIn) {
  return {
    id: account.id,
    email: displayEmail(account.email),
    emailVerified: account.emailVerifiedAt !== null,
    name: account.profile.name,
    picture: null,
    createdAt: new Date(account.createdAt).toISOString(),
  };
}
