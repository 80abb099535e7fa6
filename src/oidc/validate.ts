/** The protocol core's own check of client metadata, on a core without storage, so that every door uses the same. */
import Provider from 'oidc-provider';
import { CLIENT_RULES, FEATURES_OF_CLIENTS } from './client-rules.ts';
import type { ClientMetadata } from './client-store.ts';
import type { KeySet } from './keys.ts';
import type { Resources } from './resources.ts';

export interface ValidatorOptions {
  issuer: string;
  resources: Resources;
  /** The signing keys: what a client may ask to be signed with depends on them. */
  keys(): Promise<KeySet>;
}

export function clientValidator({ issuer, resources, keys }: ValidatorOptions) {
  let core: { version: string; provider: Provider } | undefined;

  function create({ signing }: KeySet): Provider {
    return new Provider(issuer, {
      ...CLIENT_RULES(resources.scopes),
      features: FEATURES_OF_CLIENTS,
      adapter: (() => ({ find: async () => undefined })) as never,
      jwks: signing as never,
      cookies: { keys: ['this core only checks metadata'] },
    });
  }

  /** @throws invalid_client_metadata or invalid_redirect_uri of RFC 7591 section 3.2.2. */
  return async (metadata: ClientMetadata): Promise<void> => {
    const set = await keys();
    if (core?.version !== set.version) core = { version: set.version, provider: create(set) };
    await (core.provider.Client as unknown as { validate(metadata: object): Promise<void> }).validate(metadata);
  };
}
