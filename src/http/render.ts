/**
 * Pages and mails from the templates of views/: chooses language and layout around a page. Knows no feature; a page's
 * data is described by the first line of its template.
 */
import path from 'node:path';
import { accentCss } from './accent.ts';
import type { I18n, Locale } from './i18n.ts';
import { type Branding, brandOf, createTools, type Frame, TOOL_NAMES } from './page-tools.ts';
import { createTemplates, plain } from './templates.ts';

/** What a page needs of a Koa context. `state.locale` and `state.nonce` were set by earlier layers. */
export interface PageContext {
  state: { locale?: Locale; nonce?: string; compress?: boolean };
  type: string;
  body: unknown;
  set(field: string, value: string): void;
  vary(field: string): void;
}

export interface RendererOptions {
  viewsDir: string;
  i18n: I18n;
  branding: Branding;
  issuer: URL | string;
  /** Shows on each page that this is a development server. */
  development: boolean;
  /** The address of a file of views/assets; by default the one without a hash. */
  assetUrl?: (name: string) => string;
}

export interface Renderer {
  /** Renders a page into the answer; the status is the caller's. @throws Error for a template that lacks a value */
  page(ctx: PageContext, name: string, data: object): void;
  html(locale: Locale, name: string, data: object, options?: { nonce?: string | undefined }): string;
  /** The mail views/mail/NAME in its two forms. */
  mail(locale: Locale, name: string, data: object): { subject: string; text: string; html: string };
}

export function createRenderer(options: RendererOptions): Renderer {
  const { viewsDir, i18n, branding, development } = options;
  const issuer = new URL(options.issuer);
  const assetUrl = options.assetUrl ?? ((name) => `/assets/${name}`);
  const templates = createTemplates(path.resolve(viewsDir), { toolNames: TOOL_NAMES });
  const brand = brandOf({ branding, issuer, assetUrl });
  const accent = branding.accent === undefined ? null : accentCss(branding.accent);

  function toolsFor(locale: Locale, data: object) {
    const page: Frame = { title: branding.name, frame: 'card', faulty: false, scripts: [], around: {} };
    const timeZone = (data as { timeZone?: unknown }).timeZone;
    return createTools({ i18n, locale, brand, issuer, assetUrl, page, timeZone });
  }

  function html(locale: Locale, name: string, data: object, { nonce }: { nonce?: string | undefined } = {}): string {
    const tools = toolsFor(locale, data);
    const body = templates.render(name, data, tools);
    // Without a nonce the browser would refuse the style, so it is left out.
    return templates.render('layout', { development, nonce, accent: nonce ? accent : null }, tools, body);
  }

  function mail(locale: Locale, name: string, data: object) {
    const tools = toolsFor(locale, data);
    const subject = tools.t(`mail.${name}.subject`, { brand: branding.name, ...textValues(data) });
    tools.page.title = plain(subject);
    const body = templates.render(`mail/${name}.html`, data, tools);
    return {
      subject: plain(subject),
      text: templates.render('mail/layout.txt', {}, tools, templates.render(`mail/${name}.txt`, data, tools)),
      html: templates.render('mail/layout.html', {}, tools, body),
    };
  }

  return {
    html,
    mail,
    page(ctx, name, data) {
      const locale = ctx.state.locale ?? 'en';
      const body = html(locale, name, data, { nonce: ctx.state.nonce });
      // The only secrets of a page are form tokens, salted anew each time.
      ctx.state.compress = true;
      ctx.type = 'html';
      ctx.body = body;
      ctx.set('Content-Language', locale);
      ctx.vary('Accept-Language');
    },
  };
}

/** The strings and numbers of a mail's data, as values for its subject. */
function textValues(data: object): Record<string, string | number> {
  const isText = (entry: [string, unknown]): entry is [string, string | number] =>
    typeof entry[1] === 'string' || typeof entry[1] === 'number';
  return Object.fromEntries(Object.entries(data).filter(isText));
}
