/** The composition root: the protocol core, the pages and the API as one request listener. Read top to bottom, it is
 * the map. */
import Router from '@koa/router';
import Koa, { type Context } from 'koa';
import { createEntrance } from './account/entrance.ts';
import { mountAccountPages } from './account/routes.ts';
import { scopeTitle } from './account/scope-words.ts';
import { createAccountApi } from './api/api.ts';
import { mountDocsPage } from './api/docs-routes.ts';
import type { Origin, Via } from './audit/events.ts';
import { mountDevPages } from './dev/routes.ts';
import { byTurns } from './http/by-turns.ts';
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
import { turnAway } from './http/turn-away.ts';
import { takeRandom } from './keyring/random.ts';
import { edgeLimits } from './limits/edge.ts';
import { mountClosed } from './login/closed-routes.ts';
import { mountCodes } from './login/code-routes.ts';
import { mountConsent } from './login/consent-routes.ts';
import { mountEmailRestore } from './login/email-restore-routes.ts';
import { mountFactorRecovery } from './login/factor-recovery-routes.ts';
import { mountFactors } from './login/factor-routes.ts';
import { mountInvitations } from './login/invitation-routes.ts';
import { mountKeepFactors } from './login/keep-factors-routes.ts';
import { createLogin } from './login/login.ts';
import { mountMailedSignIn } from './login/mailed-routes.ts';
import { mountNotMe } from './login/not-me-routes.ts';
import { createPages } from './login/pages.ts';
import { createPasskeyOffer } from './login/passkey-offer.ts';
import { mountPasskeys } from './login/passkey-routes.ts';
import { mountPasskeySetup } from './login/passkey-setup-routes.ts';
import { mountRecoveryCodes } from './login/recovery-code-routes.ts';
import { mountRecovery } from './login/recovery-routes.ts';
import { mountRegistration } from './login/register-routes.ts';
import { mountRelatedOrigins } from './login/related-origins.ts';
import { mountSignIn } from './login/routes.ts';
import { mountTotpSetup } from './login/totp-routes.ts';
import { DOCUMENTS } from './oidc/documents.ts';
import { mountWebFinger, WEBFINGER_PATH } from './oidc/webfinger.ts';
import { mountHealth } from './ops/health.ts';
import type { Metrics } from './ops/metrics.ts';
import { METRICS_PATH, mountMetrics } from './ops/metrics-routes.ts';
import { createCounts } from './ops/metrics-store.ts';
import { createWriteProbe } from './ops/probe-store.ts';
import { createProtocol } from './protocol.ts';
import type { Services } from './services.ts';
import { describeDevice } from './sessions/device.ts';

/** Answered on any host: probes know no names. */
const HEALTH_PATHS = ['/livez', '/readyz', '/healthz'];

export interface AppOptions {
  draining(): boolean;
  metrics: Metrics;
}

export async function createApp(services: Services, { draining, metrics }: AppOptions): Promise<Listener> {
  const { settings, issuer, log, renderer, i18n, sessions, accounts, policy } = services;
  const https = settings.secureCookies;
  const cookieKeys = createCookieKeys([services.keyring.key('cookie')]);
  const csrf = createCsrf({ key: services.keyring.key('csrf'), issuer: settings.issuer, random: takeRandom });
  const visitorOf = (req: Context['req']) => ({
    ip: requestContext(req).address,
    userAgent: req.headers['user-agent']?.slice(0, 512) ?? null,
  });

  const headers = securityHeaders({ https, hstsSubdomains: settings.hstsSubdomains, random: takeRandom });
  const protocol = await createProtocol(services, {
    cookieKeys,
    visitorOf,
    originOf: origin,
    unforeseen,
    observer: metrics.protocol,
    remember,
  });
  const { flows } = protocol;

  // The pages and the API
  const app = new Koa({ proxy: true });
  app.keys = cookieKeys as never;
  app.on('error', unforeseen);
  const router = new Router();
  const originOf = (ctx: Context) => origin(ctx, ctx.path.startsWith('/api/') ? 'api' : 'page');
  const passwordLength = { min: policy.minLength, max: policy.maxLength };
  const pages = createPages({ flows, csrf, i18n, renderer });
  const login = {
    ...services,
    flows,
    pages,
    login: createLogin({
      ...services,
      ...{ flows, originOf, enterable: accounts.enterable, kindsOf: services.factors.kindsOf },
      remembered: services.remembered,
      factorUsed: services.factorRecovery.factorUsed,
      lacksCodes: services.recoveryCodes.lacking,
      passwords: settings.emailSignIn !== 'instead',
      offers: createPasskeyOffer(services),
      hasLapsed: services.rows.Session.hasLapsed,
      secondFactorDemanded: services.secondFactor.demanded,
    }),
    passwordLength,
    emailSignIn: settings.emailSignIn,
    originOf,
  };
  mountSignIn(router, login);
  if (settings.emailSignIn !== 'off') mountMailedSignIn(router, { ...login, csrf });
  mountFactors(router, login);
  mountCodes(router, login);
  mountTotpSetup(router, login);
  mountRecoveryCodes(router, login);
  mountPasskeys(router, login);
  mountPasskeySetup(router, login);
  mountRegistration(router, login);
  if (settings.emailSignIn !== 'instead') mountRecovery(router, login);
  mountConsent(router, { ...login, scopeWords, claimWords });
  mountClosed(router, { ...login, deletion: services.deletion });
  mountEmailRestore(router, { ...services, csrf, passwordLength, originOf });
  mountInvitations(router, { ...login, csrf });
  mountNotMe(router, { ...login, csrf });
  mountFactorRecovery(router, login);
  mountKeepFactors(router, { ...login, csrf });

  const entrance = createEntrance({
    issuer,
    secureCookies: https,
    stateKey: services.keyring.key('csrf'),
    sessions,
    accounts,
    isFresh: services.isFresh,
    sufficesHere: services.secondFactor.sufficesHere,
  });
  mountAccountPages(router, { ...login, entrance, csrf });
  const limits = edgeLimits({
    windows: services.requestWindows,
    rules: settings.limits,
    addressOf: (ctx) => requestContext(ctx.req).address,
    isAllowed: services.addresses.isAllowed,
    deviceOf: services.devices.idOf,
    isFamiliar: services.familiar.isFamiliar,
    onLimited(limit, ctx, durationMs) {
      metrics.limited(limit);
      services.refusals.note({ limit, durationMs, by: originOf(ctx) });
    },
  });
  const api = createAccountApi({
    ...services,
    limits,
    entrance,
    csrf,
    originOf,
    findAccessToken: protocol.findAccessToken,
    secureCookies: https,
  });
  if (settings.docs) mountDocsPage(router, { renderer, document: api.document });
  mountWebFinger(router, issuer);
  mountRelatedOrigins(router, settings.passkeys.origins);
  mountHealth(router, { database: createWriteProbe(services.db), volatile: services.artifacts.volatile, draining });
  metrics.watch({
    counts: createCounts(services.db),
    hashes: services.passwords.stats,
    degraded: () => services.artifacts.volatile?.state() === 'degraded',
    signingKeys: services.keys.list,
  });
  mountMetrics(router, {
    registry: metrics.registry,
    token: settings.metricsToken,
    development: settings.development,
  });
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
      machinePaths: [...HEALTH_PATHS, METRICS_PATH],
    }),
  );
  app.use(pageQuery({ except: [WEBFINGER_PATH] }));
  for (const layer of limits) app.use(layer);
  app.use(router.routes());
  app.use(router.allowedMethods());

  const ours = byTurns(app.callback());
  return createFront({
    issuer: settings.issuer,
    trustProxy: settings.trustProxy,
    // With a token it is asked by its inner address, too; without one, a name that leads here must not open it.
    anyHostPaths: settings.metricsToken ? [...HEALTH_PATHS, METRICS_PATH] : HEALTH_PATHS,
    // Rules for addresses that are due to be read again are asked on the long way.
    ready: (req, res) =>
      DOCUMENTS.has(req.url ?? '') &&
      services.addresses.refreshed() === undefined &&
      services.addresses.verdictOf(requestContext(req).address) !== 'block' &&
      protocol.ready(req, res),
    observe: requestLog({ log, quietPaths: [...HEALTH_PATHS, METRICS_PATH], onFinished: metrics.finished }),
    next: turnAway({
      rules: services.addresses,
      free: HEALTH_PATHS,
      onTurnedAway: () => metrics.limited('blocked'),
      next: (req, res) => void (protocol.serves(req.url ?? '') ? protocol.listener(req, res) : ours(req, res)),
    }),
  });

  /** The browser and the address from which somebody signed in. */
  function remember(ctx: Pick<Context, 'req' | 'cookies'>, address: string): void {
    services.devices.remember(ctx, address);
    const from = requestContext(ctx.req).address;
    services.familiar.remember(from).catch((err) => log.warn({ err }, 'a familiar address was not noted'));
  }

  function origin({ req }: { req: Context['req'] }, via: Via): Origin {
    const { ip, userAgent } = visitorOf(req);
    return { via, ip, userAgent, requestId: requestContext(req).id, device: describeDevice(userAgent).name };
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
}
