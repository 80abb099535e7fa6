/** Resource servers by resource indicator (RFC 8707): those of the configuration file get RFC 9068 access tokens. */
import { errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider';

export interface Resource {
  /** Absolute URI without a fragment (RFC 8707 section 2); it becomes the token's audience. */
  identifier: string;
  name: string;
  scopes: Array<{ name: string; title?: string | undefined; description?: string | undefined }>;
  format: 'jwt' | 'opaque';
  /** Seconds. */
  accessTokenTtl: number;
  signingAlg: 'ES256' | 'RS256' | 'EdDSA';
}

export function createResources(resources: Resource[]) {
  const byIdentifier = new Map(resources.map((resource) => [resource.identifier, resource]));
  return {
    find: (identifier: string) => byIdentifier.get(identifier),
    scopes: [...new Set(resources.flatMap((resource) => resource.scopes.map(({ name }) => name)))],

    /** @throws invalid_target for a resource that is not declared. */
    serverInfo(_ctx: KoaContextWithOIDC, indicator: string): ResourceServer {
      const resource = byIdentifier.get(indicator);
      if (!resource) throw new errors.InvalidTarget(`the resource ${indicator} is not known to this server`);
      const info = {
        scope: resource.scopes.map(({ name }) => name).join(' '),
        audience: resource.identifier,
        accessTokenTTL: resource.accessTokenTtl,
      };
      if (resource.format === 'opaque') return { ...info, accessTokenFormat: 'opaque' } as ResourceServer;
      return { ...info, accessTokenFormat: 'jwt', jwt: { sign: { alg: resource.signingAlg } } } as ResourceServer;
    },
  };
}

export type Resources = ReturnType<typeof createResources>;
