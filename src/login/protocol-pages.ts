/** The pages that the protocol core shows itself: errors, sign-out, the device flow, and the way back to an app. */
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { I18n } from '../http/i18n.ts';
import type { Renderer } from '../http/render.ts';
import { requestContext } from '../http/request-context.ts';
import type { ProviderPages } from '../oidc/provider.ts';
import { describeDevice } from '../sessions/device.ts';
import { viewOfClient } from './client-view.ts';

export interface ProtocolPagesOptions {
  renderer: Renderer;
  i18n: I18n;
  development: boolean;
}

export function createProtocolPages({ renderer, i18n, development }: ProtocolPagesOptions) {
  function show(ctx: KoaContextWithOIDC, name: string, data: object): void {
    const uiLocales = ctx.oidc?.params?.['ui_locales'];
    ctx.state['locale'] = i18n.negotiate({
      ...(typeof uiLocales === 'string' ? { uiLocales } : {}),
      acceptLanguage: ctx.get('accept-language'),
    });
    ctx.set('Cache-Control', 'no-store');
    renderer.page(ctx as never, name, data);
  }

  const secretOf = (ctx: KoaContextWithOIDC) =>
    (ctx.oidc.session as unknown as { state: { secret: string } }).state.secret;

  const pages: ProviderPages = {
    error(ctx, out, error) {
      const detail = (error as { error_detail?: string }).error_detail;
      const facts = [
        { label: 'error', value: out.error },
        { label: 'error_description', value: out.error_description },
        { label: 'detail', value: detail },
        ...asked(ctx),
      ];
      show(ctx, 'error', {
        status: ctx.status,
        code: out.error,
        message: ctx.status >= 500 ? null : (out.error_description ?? null),
        requestId: requestContext(ctx.req).id,
        developer: development ? facts.filter(({ value }) => value !== undefined && value !== '') : null,
        backUrl: null,
        retryAfter: null,
      });
    },

    signOut(ctx) {
      show(ctx, 'login/sign-out', {
        action: ctx.oidc.urlFor('end_session_confirm'),
        csrfFields: [{ name: 'xsrf', value: secretOf(ctx) }],
        client: viewOfClient(ctx.oidc.client),
        account: null,
      });
    },

    signedOut(ctx) {
      show(ctx, 'login/signed-out', { client: viewOfClient(ctx.oidc.client), loginUrl: '/account' });
    },

    deviceEnter(ctx, error) {
      if (error && ctx.oidc.session?.exp === undefined) return deviceWithoutCookie(ctx);
      const wrong = error as { userCode?: string; name: string } | undefined;
      const code = wrong && (DEVICE_FAULTS[wrong.name] ?? 'device_failed');
      // The core says 200 for a code that it did not take.
      if (code && code !== 'device_aborted') ctx.status = ctx.status === 429 ? 429 : 400;
      show(ctx, 'device/enter', {
        action: ctx.oidc.urlFor('code_verification'),
        csrf: secretOf(ctx),
        csrfFields: [{ name: 'xsrf', value: secretOf(ctx) }],
        userCode: wrong?.userCode ?? null,
        errors: code ? [{ field: code === 'device_aborted' ? '' : 'user_code', code }] : [],
      });
    },

    deviceConfirm(ctx, userCode) {
      const info = (ctx.oidc.entities.DeviceCode as unknown as { deviceInfo?: { ip?: string; ua?: string } })
        .deviceInfo;
      const device = info ? describeDevice(info.ua ?? null) : null;
      show(ctx, 'device/confirm', {
        action: ctx.oidc.urlFor('code_verification'),
        csrf: secretOf(ctx),
        csrfFields: [
          { name: 'xsrf', value: secretOf(ctx) },
          { name: 'user_code', value: userCode },
        ],
        client: viewOfClient(ctx.oidc.client),
        userCode,
        deviceInfo: device && { browser: device.browser, os: device.os, ip: info?.ip ?? null },
      });
    },

    deviceDone(ctx) {
      show(ctx, 'device/done', { success: true, client: viewOfClient(ctx.oidc.client) });
    },
  };

  /** The form came without the session of the page it was on, and no session that could hold a new one was stored. */
  function deviceWithoutCookie(ctx: KoaContextWithOIDC): void {
    // Else the core saves it, which fails for one that was never stored (lib/models/session.js, persist).
    (ctx.oidc.session as unknown as { touched: boolean }).touched = false;
    ctx.status = 400;
    const message =
      'The browser sent no cookie of the page that this form is on. Allow cookies, open the page again, and type the code once more.';
    show(ctx, 'error', {
      status: 400,
      code: 'invalid_request',
      message,
      requestId: requestContext(ctx.req).id,
      developer: null,
      backUrl: ctx.oidc.urlFor('code_verification'),
      retryAfter: null,
    });
  }

  return {
    pages,

    /** A redirect to a private-use scheme leaves the tab on a spent page: show one that says where things went. */
    backToApp(ctx: KoaContextWithOIDC): void {
      const location = ctx.response.get('location') as string | undefined;
      if (!location || /^https?:|^\//i.test(location) || ctx.get('sec-fetch-dest') !== 'document') return;
      ctx.remove('location');
      ctx.status = 200;
      ctx.set('Refresh', `0; url=${location}`);
      show(ctx, 'login/back-to-app', { client: viewOfClient(ctx.oidc.client), href: location });
    },
  };
}

const DEVICE_FAULTS: Record<string, string> = {
  NoCodeError: 'device_code_missing',
  NotFoundError: 'device_code_unknown',
  ExpiredError: 'device_code_expired',
  AlreadyUsedError: 'device_code_used',
  AbortedError: 'device_aborted',
  TooManyGuesses: 'too_many_attempts',
};

/** The parameters of the request, as the developer sent them; secrets are not among them. */
function asked(ctx: KoaContextWithOIDC): Array<{ label: string; value: string | undefined }> {
  const shown = ['client_id', 'redirect_uri', 'response_type', 'scope', 'post_logout_redirect_uri', 'resource'];
  return shown.map((label) => {
    const value = ctx.query[label];
    return { label, value: Array.isArray(value) ? value.join(' | ') : value };
  });
}
