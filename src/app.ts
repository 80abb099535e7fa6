/** The composition root: the protocol core, the pages and the API as one request listener. Read top to bottom, it is
 * the map. */
import Router from '@koa/router';
import Koa, { type Context } from 'koa';
import type Provider from 'oidc-provider';
import { CALLBACK_PATH, createEntrance } from './account/entrance.ts';
import { mountAccountPages } from './account/routes.ts';
import { scopeTitle } from './account/views.ts';
import { createAccountApi } from './api/api.ts';
import { mountDocsPage } from './api/docs-routes.ts';
import { mountDevPages } from './dev/routes.ts';
import { compress } from './http/compress.ts';
import { createCookieKeys } from './http/cookies.ts';
import { createCsrf } from './http/csrf.ts';
import { failures } from './http/failures.ts';
import { createFront, type Listener } from './http/front.ts';
import { securityHeaders } from './http/headers.ts';
import { pageQuery } from './http/page-query.ts';
import { pageErrors } from './http/pages.ts';
import { problems } from './http/problem.ts';
import { requestContext } from './http/request-context.ts';
import { requestLog } from './http/request-log.ts';
import { edgeLimits } from './limits/edge.ts';
import { createMemoryWindows } from './limits/window-store.ts';
import { mountConsent } from './login/consent-routes.ts';
import { createFlows } from './login/flows.ts';
import { mountInvitations } from './login/invitation-routes.ts';
import { createLogin } from './login/login.ts';
import { createPages } from './login/pages.ts';
import { createProtocolPages } from './login/protocol-pages.ts';
import { mountRecovery } from './login/recovery-routes.ts';
import { mountRegistration } from './login/register-routes.ts';
import { mountSignIn } from './login/routes.ts';
import { createAdapter } from './oidc/adapter.ts';
import { claimsOf } from './oidc/claims.ts';
import { explainRefusals } from './oidc/explain.ts';
import { createGrantLoader } from './oidc/grants.ts';
import { loadSigningKeys } from './oidc/keys.ts';
import { protocolMiddleware } from './oidc/middleware.ts';
import { createProvider, ROUTES } from './oidc/provider.ts';
import { createRefreshReplay } from './oidc/refresh-replay.ts';
import { mountWebFinger, WEBFINGER_PATH } from './oidc/webfinger.ts';
import { mountHealth } from './ops/health.ts';
import type { Services } from './services.ts';
import { describeDevice } from './sessions/device.ts';

/** Answered on any host: probes know no names. */
const HEALTH_PATHS = ['/livez', '/readyz', '/healthz'];

export async function createApp(services: Services, { draining }: { draining(): boolean }): Promise<Listener> {
  const { settings, issuer, log, renderer, i18n, sessions, accounts, clients, rows, resources, policy } = services;
  const https = settings.secureCookies;
  const cookieKeys = createCookieKeys([services.keyring.key('cookie')]);
  const csrf = createCsrf({ key: services.keyring.key('csrf'), issuer: settings.issuer });
  const visitorOf = (req: Context['req']) => ({
    ip: requestContext(req).address,
    userAgent: req.headers['user-agent']?.slice(0, 512) ?? null,
  });

  // The protocol
  let provider: Provider;
  const flows = createFlows({ provider: () => provider, secureCookies: https, lifetime: settings.ttl.interaction });
  const protocolPages = createProtocolPages({ renderer, i18n, development: settings.development });
  const replay = createRefreshReplay({
    rows: rows.RefreshToken as never,
    records: services.refreshReplays,
    endGrant: rows.Grant.destroy,
    onRepeat: (kind, facts) => log.info({ kind, ...facts }, 'a refresh token was repeated'),
    onLostRecord: (error) => log.warn({ err: error }, 'the answer to a refresh was not recorded'),
  });
  provider = createProvider({
    issuer,
    adapter: createAdapter({
      artifacts: services.artifacts,
      rows: { ...rows, RefreshToken: replay.rows, Client: clientRows(services) } as never,
      grantLives: rows.Grant.lives,
      visitorOf,
    }),
    jwks: await loadSigningKeys(services.keys),
    cookieKeys,
    secureCookies: https,
    lifetimes: settings.ttl,
    resources,
    locales: [...i18n.locales],
    links: services.branding.links,
    accountRedirectUri: issuer + CALLBACK_PATH,
    loadExistingGrant: createGrantLoader(services.consents),
    async findAccount(id) {
      const account = await accounts.living(id);
      return account && { accountId: account.id, claims: () => claimsOf(account) };
    },
    interactionUrl: (ctx, interaction) => flows.begin(ctx as never, interaction),
    pages: protocolPages.pages,
    fetch: services.outbound,
  });
  const headers = securityHeaders({ https, hstsSubdomains: settings.hstsSubdomains });
  provider.use(headers as never);
  provider.use(replay.middleware as never);
  for (const layer of protocolMiddleware({
    signOut: sessions.signOut,
    grantSeen: rows.Grant.seen,
    backToApp: protocolPages.backToApp,
    originAllowed: clients.originAllowed,
    errorPage: protocolPages.pages.error,
    onBug: coreFailed,
  })) {
    provider.use(layer as never);
  }
  provider.on('server_error', (ctx, error) => coreFailed(error, ctx));
  explainRefusals(provider, {
    development: settings.development,
    onRefused: (facts, ctx) => log.info({ ...facts, request_id: requestContext(ctx.req).id }, 'the protocol refused'),
  });

  provider.on('error' as never, unforeseen as never);

  // The pages and the API
  const app = new Koa({ proxy: true });
  app.keys = cookieKeys as never;
  app.on('error', unforeseen);
  const router = new Router();
  const originOf = (ctx: Context) => {
    const { ip, userAgent } = visitorOf(ctx.req);
    return { ip, device: describeDevice(userAgent).name };
  };
  const passwordLength = { min: policy.minLength, max: policy.maxLength };
  const pages = createPages({ flows, csrf, i18n, renderer });
  const login = { ...services, flows, pages, login: createLogin({ flows }), passwordLength, originOf };
  mountSignIn(router, login);
  mountRegistration(router, login);
  mountRecovery(router, login);
  mountConsent(router, { ...login, scopeWords, claimWords });
  mountInvitations(router, { ...services, csrf, passwordLength });

  const entrance = createEntrance({
    issuer,
    secureCookies: https,
    stateKey: services.keyring.key('csrf'),
    sessions,
    accounts,
  });
  mountAccountPages(router, { ...services, entrance, csrf, passwordLength, originOf });
  const limits = edgeLimits({
    actions: { windows: services.windows, perMinute: settings.limits.actionsPerMinute },
    pages: { windows: createMemoryWindows(), perMinute: settings.limits.pagesPerMinute },
    addressOf: (ctx) => requestContext(ctx.req).address,
  });
  const api = createAccountApi({
    ...services,
    limits,
    entrance,
    csrf,
    originOf,
    findAccessToken,
    secureCookies: https,
  });
  if (settings.docs) mountDocsPage(router, { renderer, document: api.document });
  mountWebFinger(router, issuer);
  mountHealth(router, { database: services.db, draining });
  if (services.mailbox) mountDevPages(router, { mailbox: services.mailbox, renderer, issuer });
  router.get('/', (ctx) => ctx.redirect('/account'));

  app.use(headers);
  app.use(compress({ publicPaths: ['/openapi.json'] }));
  app.use((ctx, next) => {
    ctx.state['locale'] = i18n.negotiate({ acceptLanguage: ctx.get('accept-language') });
    return next();
  });
  app.use(services.assets.middleware);
  app.use(api.middleware);
  app.use(
    failures({
      pages: pageErrors({ page: renderer.page, development: settings.development, log }),
      problems: problems({ log }),
      machinePaths: HEALTH_PATHS,
    }),
  );
  app.use(pageQuery({ except: [WEBFINGER_PATH] }));
  for (const layer of limits) app.use(layer);
  app.use(router.routes());
  app.use(router.allowedMethods());

  const protocol = provider.callback();
  const ours = app.callback();
  return createFront({
    issuer: settings.issuer,
    trustProxy: settings.trustProxy,
    anyHostPaths: HEALTH_PATHS,
    observe: requestLog({ log, quietPaths: HEALTH_PATHS }),
    next: (req, res) => void (isProtocol(req.url ?? '') ? protocol(req, res) : ours(req, res)),
  });

  function coreFailed(error: unknown, ctx: { req: Context['req'] }): void {
    log.error({ err: error, request_id: requestContext(ctx.req).id }, 'the protocol core failed');
  }

  /** What no layer caught. Aborted connections are the client's business. */
  function unforeseen(error: Error & { code?: string }, ctx?: Context): void {
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE' || error.code === 'ERR_STREAM_PREMATURE_CLOSE') return;
    log.error({ err: error, request_id: ctx && requestContext(ctx.req).id }, 'a request failed');
  }

  function scopeWords(locale: string, scope: string) {
    const key = `scope.${scope}.description`;
    const description = i18n.t(locale as never, key);
    return { title: scopeTitle(i18n, locale, scope), description: description === key ? '' : description };
  }

  function claimWords(locale: string, claims: string[]) {
    return { title: i18n.t(locale as never, 'consent.claims'), description: claims.join(', ') };
  }

  /** An opaque access token for our own API, with all that may have ended it checked. */
  async function findAccessToken(token: string) {
    const found = await provider.AccessToken.find(token);
    if (!found || found.isExpired || !found.accountId || found.aud) return undefined;
    if (!(await accounts.living(found.accountId)) || !(await clients.metadata(found.clientId as string)))
      return undefined;
    return {
      accountId: found.accountId,
      grantId: found.grantId as string,
      scope: found.scope ?? '',
      clientId: found.clientId as string,
      sessionUid: found.sessionUid,
      jkt: found.jkt,
    };
  }
}

const PROTOCOL_PATHS = [
  ...Object.values(ROUTES),
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
];

function isProtocol(url: string): boolean {
  const path = url.split('?', 1)[0] as string;
  return PROTOCOL_PATHS.some((route) => path === route || path.startsWith(`${route}/`));
}

function clientRows({ clients }: Services) {
  const refused = async () => {
    throw new Error('clients are changed through their registry');
  };
  return { find: clients.metadata, upsert: refused, destroy: refused };
}
