/** The check of client metadata that every door meets: the protocol core's own, on a core without storage, and the rules
 * for addresses, which are narrower than the core's (P03, P04). */
import Provider, { errors } from 'oidc-provider';
import { CLIENT_RULES, FEATURES_OF_CLIENTS } from './client-rules.ts';
import type { ClientMetadata } from './client-store.ts';
import type { KeySet } from './keys.ts';
import type { Resources } from './resources.ts';

export interface ValidatorOptions {
  issuer: string;
  resources: Resources;
  /** The signing keys: what a client may ask to be signed with depends on them. */
  keys(): Promise<KeySet>;
  /** What is wrong with an address to send people back to, as the rest of a sentence. */
  redirectFault(uri: string, client: { applicationType: 'web' | 'native' }): string | undefined;
}

const ADDRESSES = ['redirect_uris', 'post_logout_redirect_uris'];

export function clientValidator({ issuer, resources, keys, redirectFault }: ValidatorOptions) {
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

  /** @throws invalid_client_metadata or invalid_redirect_uri of RFC 7591 section 3.2.2, with `error_description`. */
  return async (metadata: ClientMetadata): Promise<void> => {
    const set = await keys();
    if (core?.version !== set.version) core = { version: set.version, provider: create(set) };
    await (core.provider.Client as unknown as { validate(metadata: object): Promise<void> }).validate(metadata);
    checkAddresses(metadata);
  };

  function checkAddresses(metadata: ClientMetadata): void {
    const applicationType = metadata['application_type'] === 'native' ? 'native' : 'web';
    for (const member of ADDRESSES) {
      for (const uri of (metadata[member] ?? []) as string[]) {
        const fault = redirectFault(uri, { applicationType });
        if (fault) throw new errors.InvalidClientMetadata(`${member}: ${JSON.stringify(uri)} ${fault}`);
      }
    }
  }
}
