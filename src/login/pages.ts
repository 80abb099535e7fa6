/** What every hosted sign-in page needs: its flow, the language, the anti-forgery token, and its form again on a fault. */
import type { Context } from 'koa';
import type { z } from 'zod';
import { AppError, type FieldError } from '../errors.ts';
import { readForm } from '../http/body.ts';
import type { Csrf } from '../http/csrf.ts';
import type { I18n } from '../http/i18n.ts';
import type { Renderer } from '../http/render.ts';
import { viewOfClient } from './client-view.ts';
import type { Flow, Flows } from './flows.ts';

export interface PagesOptions {
  flows: Flows;
  csrf: Csrf;
  i18n: I18n;
  renderer: Renderer;
}

export interface FlowPage {
  flow: Flow;
  locale: string;
  /** Data that each template takes. */
  common: { csrf: string; client: ReturnType<typeof viewOfClient> };
  show(name: string, data: object): void;
}

/** Faults that a form can mend; anything else becomes an error page. */
const MENDABLE = new Set([
  'invalid_request',
  'invalid_credentials',
  'invalid_code',
  'code_expired',
  'weak_password',
  'too_many_attempts',
  'conflict',
  'busy',
]);

export function createPages({ flows, csrf, i18n, renderer }: PagesOptions) {
  const binding = (uid: string) => `interaction:${uid}`;

  function page(ctx: Context, flow: Flow): FlowPage {
    const acceptLanguage = ctx.get('accept-language');
    const locale = i18n.negotiate({ ...(flow.uiLocales ? { uiLocales: flow.uiLocales } : {}), acceptLanguage });
    ctx.state['locale'] = locale;
    ctx.set('Cache-Control', 'no-store');
    const common = {
      csrf: csrf.token(binding(flow.uid)),
      client: viewOfClient(flow.client, flow.interaction.params['redirect_uri']),
    };
    return {
      flow,
      locale,
      common,
      show: (name, data) => renderer.page(ctx, name, { ...common, errors: [], notice: null, ...data }),
    };
  }

  return {
    /** The page of a GET. */
    async open(ctx: Context): Promise<FlowPage> {
      return page(ctx, await flows.load(ctx, ctx['params'].uid));
    },

    /** What a script of one of our pages asks: the flow, and the anti-forgery token in a header. */
    async call(ctx: Context): Promise<Flow> {
      const flow = await flows.load(ctx, ctx['params'].uid);
      csrf.check(ctx, binding(flow.uid), ctx.get('x-csrf-token') || undefined);
      ctx.set('Cache-Control', 'no-store');
      return flow;
    },

    /**
     * A POST: the flow, then the form, its anti-forgery token, then the work. What the person can mend is shown with
     * the form again, status of the fault, and what they typed; nothing is lost.
     */
    async submit<Schema extends z.ZodType<{ csrf: string }>>(
      ctx: Context,
      schema: Schema,
      work: (page: FlowPage, form: z.infer<Schema>) => Promise<void>,
      again: (page: FlowPage, form: z.infer<Schema>, errors: FieldError[]) => void | Promise<void>,
    ): Promise<void> {
      const flow = await flows.load(ctx, ctx['params'].uid);
      const shown = page(ctx, flow);
      const form = await readForm(ctx, schema);
      csrf.check(ctx, binding(flow.uid), form.csrf);
      try {
        await work(shown, form);
      } catch (error) {
        if (!(error instanceof AppError) || !MENDABLE.has(error.code)) throw error;
        ctx.status = error.status === 401 ? 400 : error.status;
        ctx.set(error.headers);
        if (error.retryAfter !== undefined) ctx.set('Retry-After', String(error.retryAfter));
        await again(shown, form, error.fields.length > 0 ? error.fields : [{ field: '', code: error.code }]);
      }
    },
  };
}

export type Pages = ReturnType<typeof createPages>;
