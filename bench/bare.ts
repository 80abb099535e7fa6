/**
 * What Latchkey is measured against: oidc-provider alone on its own koa, storage in a Map, the same clients, keys and
 * lifetimes, every sign-in approved. A program of its own: `bare.ts PORT`.
 */
import { generateKeyPairSync } from 'node:crypto';
import Provider, {
  type Adapter,
  type AdapterPayload,
  type Configuration,
  type JWK,
  type KoaContextWithOIDC,
} from 'oidc-provider';
import { CLIENTS, RESOURCE, RESOURCE_SCOPE, ROUTES, SECRET } from './clients.ts';

const port = Number(process.argv[2]);
const values = new Map<string, AdapterPayload>();
const byUid = new Map<string, string>();

function inMemory(model: string): Adapter {
  const key = (id: string) => `${model}:${id}`;
  return {
    async upsert(id, payload) {
      values.set(key(id), payload);
      if (model === 'Session' && payload.uid) byUid.set(payload.uid, id);
    },
    find: async (id) => values.get(key(id)),
    findByUid: async (uid) => values.get(key(byUid.get(uid) ?? '')),
    findByUserCode: async () => undefined,
    async consume(id) {
      const found = values.get(key(id));
      if (found) found.consumed = Math.floor(Date.now() / 1000);
    },
    async destroy(id) {
      values.delete(key(id));
    },
    async revokeByGrantId() {},
  };
}

const jwk = (pair: ReturnType<typeof generateKeyPairSync>, alg: string) =>
  ({ ...pair.privateKey.export({ format: 'jwk' }), alg, kid: alg, use: 'sig' }) as JWK;

async function grantOf(ctx: KoaContextWithOIDC) {
  const { client, session, provider } = ctx.oidc;
  if (!client || !session) return undefined;
  const id = session.grantIdFor(client.clientId);
  const found = id ? await provider.Grant.find(id) : undefined;
  if (found) return found;
  const grant = new provider.Grant({ accountId: session.accountId as string, clientId: client.clientId });
  grant.addOIDCScope('openid profile email');
  await grant.save();
  return grant;
}

const configuration: Configuration = {
  adapter: inMemory as never,
  clients: CLIENTS.map((client) => ({
    ...client,
    ...(client.token_endpoint_auth_method === 'none' ? {} : { client_secret: SECRET }),
  })) as never,
  jwks: {
    keys: [
      jwk(generateKeyPairSync('rsa', { modulusLength: 2048 }), 'RS256'),
      jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }), 'ES256'),
    ],
  },
  routes: ROUTES,
  scopes: ['openid', 'profile', 'email', RESOURCE_SCOPE],
  claims: { openid: ['sub'], profile: ['name', 'updated_at'], email: ['email', 'email_verified'] },
  cookies: { keys: ['a key of the bare server, long enough to be one'] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
  rotateRefreshToken: true,
  issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: async () => false,
  loadExistingGrant: grantOf,
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: async (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: 'Bench', email: 'bench@example.com', email_verified: true, updated_at: 1 }),
  }),
  ttl: {
    AccessToken: 900,
    AuthorizationCode: 60,
    ClientCredentials: 900,
    Grant: 86_400,
    IdToken: 3600,
    Interaction: 3600,
    RefreshToken: 86_400,
    Session: 86_400,
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: RESOURCE_SCOPE,
        audience: RESOURCE,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 900,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
};

const provider = new Provider(`http://localhost:${port}`, configuration);

provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  ctx.respond = false;
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'bench' } });
});

provider.listen(port, '127.0.0.1', () => process.stdout.write('listening\n'));
