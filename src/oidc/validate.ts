/** The protocol core's own check of client metadata, on a core without storage, so that every door uses the same. */
import Provider, { type JWK } from 'oidc-provider';
import { CLIENT_RULES, FEATURES_OF_CLIENTS } from './client-rules.ts';
import type { ClientMetadata } from './client-store.ts';
import type { Resources } from './resources.ts';

export interface ValidatorOptions {
  issuer: string;
  resources: Resources;
  /** The signing keys: what a client may ask to be signed with depends on them. */
  keys(): Promise<{ keys: JWK[] }>;
}

export function clientValidator({ issuer, resources, keys }: ValidatorOptions) {
  let core: Promise<Provider> | undefined;

  async function create(): Promise<Provider> {
    return new Provider(issuer, {
      ...CLIENT_RULES(resources.scopes),
      features: FEATURES_OF_CLIENTS,
      adapter: (() => ({ find: async () => undefined })) as never,
      jwks: (await keys()) as never,
      cookies: { keys: ['this core only checks metadata'] },
    });
  }

  /** @throws invalid_client_metadata or invalid_redirect_uri of RFC 7591 section 3.2.2. */
  return async (metadata: ClientMetadata): Promise<void> => {
    core ??= create();
    const { Client } = await core;
    await (Client as unknown as { validate(metadata: object): Promise<void> }).validate(metadata);
  };
}
