/** The protocol core with everything that it is given: storage, accounts, its pages and the layers around it. */
import type { Context, Middleware } from 'koa';
import type { JWK, KoaContextWithOIDC } from 'oidc-provider';
import { CALLBACK_PATH } from './account/entrance.ts';
import type { Origin, Via } from './audit/events.ts';
import type { createCookieKeys } from './http/cookies.ts';
import { bareHeaders, securityHeaders } from './http/headers.ts';
import { arrivedAt, requestContext } from './http/request-context.ts';
import { takeRandom } from './keyring/random.ts';
import { createFlows } from './login/flows.ts';
import { createProtocolPages } from './login/protocol-pages.ts';
import { signInOf } from './oidc/acr.ts';
import { createAdapter } from './oidc/adapter.ts';
import { claimsOf } from './oidc/claims.ts';
import { rememberClients } from './oidc/client-cache.ts';
import { createProtocolEndings } from './oidc/endings.ts';
import { explainRefusals } from './oidc/explain.ts';
import { createGrantLoader } from './oidc/grants.ts';
import { createGuessLimits } from './oidc/guesses.ts';
import { createIntrospectionLimit } from './oidc/introspection-limit.ts';
import { createIssuing } from './oidc/issuing.ts';
import { createLogoutNotices } from './oidc/logout-notice.ts';
import { createSurroundings } from './oidc/middleware.ts';
import { createOneUnit } from './oidc/one-unit.ts';
import { createPollingLimit } from './oidc/polling.ts';
import { createProvider, MACHINE_PATHS, READ_ONLY, ROUTES } from './oidc/provider.ts';
import { createRefreshReplay } from './oidc/refresh-replay.ts';
import { createRefuser } from './oidc/refusal.ts';
import { createSourceLimit } from './oidc/source-limit.ts';
import { createTokenWatch, type ProtocolObserver } from './oidc/token-watch.ts';
import type { Services } from './services.ts';

export interface ProtocolOptions {
  cookieKeys: ReturnType<typeof createCookieKeys>;
  visitorOf(req: Context['req']): { ip: string; userAgent: string | null };
  originOf(ctx: { req: Context['req'] }, via: Via): Origin;
  observer: ProtocolObserver;
  /** The browser and the address from which somebody signed in. */
  remember(ctx: KoaContextWithOIDC, address: string): void;
  /** What no layer caught. */
  unforeseen(error: Error, ctx?: Context): void;
}

export async function createProtocol(services: Services, options: ProtocolOptions) {
  const { settings, issuer, log, i18n, accounts, clients, rows } = services;
  const { secureCookies, ttl } = settings;
  const provider = () => issuing.provider();
  const flows = createFlows({ ...options, provider, secureCookies, lifetime: ttl.interaction });
  const protocolPages = createProtocolPages({ ...services, development: settings.development });
  const endings = createProtocolEndings({
    session: rows.Session as never,
    begin: services.sessions.begin,
    grant: rows.Grant as never,
    originOf: (ctx) => options.originOf(ctx, 'protocol'),
    signOut: services.sessions.signOut,
    endGrant: services.sessions.endGrant,
  });
  const refuse = createRefuser({ errorPage: protocolPages.pages.error, originAllowed: clients.originAllowed });
  const replay = createRefreshReplay({
    rows: rows.RefreshToken as never,
    records: services.refreshReplays,
    endGrant: endings.stolen,
    onRepeat,
    refuse,
    arrivedAt,
  });
  const adapter = createAdapter({
    artifacts: services.artifacts,
    rows: {
      Session: endings.Session,
      Grant: endings.Grant,
      RefreshToken: replay.rows,
      Client: clientRows(services),
    } as never,
    openGrant: rows.Grant.open,
    carriesGrants: (path) => READ_ONLY.has(path) || path === ROUTES.token,
    epochOf: async (id) => (await accounts.byId(id))?.signedOutAt,
    visitorOf: options.visitorOf,
    arrivedAt,
  });
  const addressOf = (req: Context['req']) => requestContext(req).address;
  const limitGuesses = createGuessLimits({
    windows: services.windows,
    rules: settings.limits,
    addressOf,
    onClosed: secretGuessed,
    onLimited,
  });
  const limitPolling = createPollingLimit(services);
  const limitIntrospection = createIntrospectionLimit({
    windows: services.requestWindows,
    rules: settings.limits,
    onLimited,
  });
  const transport = { https: secureCookies, hstsSubdomains: settings.hstsSubdomains };
  const layers = [
    securityHeaders({ ...transport, machinePaths: MACHINE_PATHS, random: takeRandom }),
    createTokenWatch(options.observer),
    createSourceLimit({
      windows: services.requestWindows,
      rules: settings.limits,
      isAllowed: services.addresses.isAllowed,
      addressOf,
      refuse,
      onLimited,
    }),
    createOneUnit({
      inRequest: services.db.request,
      ...{ refuse, overtaken: replay.overtaken, signedIn: options.remember, onBug: coreFailed },
    }),
    replay.middleware,
    createSurroundings({
      issuer: settings.issuer,
      // The tokens are made: an answer that was lost for a note of the time would end the chain.
      grantSeen: (id) => rows.Grant.seen(id).catch((err) => log.warn({ err }, 'the last use was not noted')),
      tokensIssued,
      backToApp: protocolPages.backToApp,
      originAllowed: clients.originAllowed,
      errorPage: protocolPages.pages.error,
      onBug: coreFailed,
    }),
  ];
  const issuing = await createIssuing({ keys: services.keys, build, headers: bareHeaders(transport) });
  services.outbox.handle('logout', createLogoutNotices({ provider: issuing.provider, fetch: services.outbound }));

  return {
    flows,
    listener: issuing.listener,
    ready: issuing.ready,
    findAccessToken,
    /** Whether the core answers this address. */
    serves(url: string): boolean {
      const question = url.indexOf('?');
      const path = question < 0 ? url : url.slice(0, question);
      return PATHS.has(path) || BELOW.some((route) => path.startsWith(route));
    },
  };

  function build(jwks: { keys: JWK[] }, outermost: Middleware) {
    const core = createProvider({
      issuer,
      adapter,
      jwks,
      cookieKeys: options.cookieKeys,
      secureCookies,
      lifetimes: ttl,
      hasLapsed: rows.Session.hasLapsed,
      sufficesHere: services.secondFactor.sufficesHere,
      resources: services.resources,
      locales: [...i18n.locales],
      links: services.branding.links,
      accountRedirectUri: issuer + CALLBACK_PATH,
      loadExistingGrant: createGrantLoader(services.consents, (ctx) => options.originOf(ctx, 'protocol')),
      async findAccount(id) {
        const account = await accounts.living(id);
        if (!account) return undefined;
        const claims = async (_use: string, scope: string) => {
          // Whose scope it is not gets them by the claims parameter neither.
          const roles = scope.split(' ').includes('roles') ? { roles: await services.roles.of(account.id) } : {};
          return { ...claimsOf(account), ...roles };
        };
        return { accountId: account.id, claims };
      },
      interactionUrl: (ctx, interaction) => flows.begin(ctx as never, interaction),
      pages: protocolPages.pages,
      fetch: services.outbound,
    });
    limitGuesses(core);
    limitPolling(core);
    limitIntrospection(core);
    rememberClients(core, clients.metadata);
    for (const layer of [outermost, ...layers]) core.use(layer as never);
    core.on('server_error', (ctx, error) => coreFailed(error, ctx));
    explainRefusals(core, {
      development: settings.development,
      onRefused: (facts, ctx) => log.info({ ...facts, request_id: requestContext(ctx.req).id }, 'the protocol refused'),
      onUnavailable: coreFailed,
    });
    core.on('error' as never, options.unforeseen as never);
    return core;
  }

  function onLimited(limit: string, ctx: KoaContextWithOIDC, durationMs: number): void {
    services.refusals.note({ limit, durationMs, by: options.originOf(ctx, 'protocol') });
  }

  /** Single failures are mistakes, counted by the metrics; a row of them is an attack that somebody should see. */
  async function secretGuessed(ctx: KoaContextWithOIDC, { client, attempts }: { client: string; attempts: number }) {
    const [type, by] = ['client.authentication_failed', options.originOf(ctx, 'protocol')] as const;
    const event = { type, outcome: 'failure', client, by, details: { attempts } } as const;
    await services.audit.note(event).catch((err) => log.warn({ err }, 'guesses at a secret were not recorded'));
  }

  /** With the tokens or not at all. */
  async function tokensIssued({ oidc }: KoaContextWithOIDC, grant: string): Promise<void> {
    const { Account: account, Grant: held } = oidc.entities;
    const about = { account: account?.accountId, client: oidc.client?.clientId, session: held?.jti };
    const event = { type: 'token.issued', ...about, by: endings.origin(), details: { grant } } as const;
    await services.audit.noteLater(event);
  }

  function onRepeat(
    kind: 'race' | 'theft',
    { clientId, grantId }: { clientId: string; grantId: string },
    ctx: KoaContextWithOIDC,
  ): void {
    log.info({ kind, clientId, grantId }, 'a refresh token was repeated');
    if (kind === 'theft') return;
    const by = options.originOf(ctx, 'protocol');
    const event = { type: 'refresh.replayed', client: clientId, session: grantId, by } as const;
    services.audit.note(event).catch((err) => log.warn({ err }, 'a repeated refresh was not recorded'));
  }

  function coreFailed(error: unknown, ctx: { req: Context['req'] }): void {
    log.error({ err: error, request_id: requestContext(ctx.req).id }, 'the protocol core failed');
  }

  /** An opaque access token for our own API, with all that may have ended it checked. */
  async function findAccessToken(token: string) {
    const found = await provider().AccessToken.find(token);
    if (!found || found.isExpired || !found.accountId || found.aud) return undefined;
    if (!(await accounts.living(found.accountId)) || !(await clients.metadata(found.clientId as string)))
      return undefined;
    return {
      ...(await signInOf(found as never, rows)),
      accountId: found.accountId,
      grantId: found.grantId as string,
      scope: found.scope ?? '',
      clientId: found.clientId as string,
      sessionUid: found.sessionUid,
      jkt: found.jkt,
    };
  }
}

const PATHS: ReadonlySet<string> = new Set([
  ...Object.values(ROUTES),
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
]);
const BELOW = [...PATHS].map((path) => `${path}/`);

function clientRows({ clients }: Services) {
  const refused = async () => {
    throw new Error('clients are changed through their registry');
  };
  return { find: clients.metadata, upsert: refused, destroy: refused };
}
