/** The protocol core's own check of client metadata, on a core without storage, so that every door uses the same. */
import Provider from 'oidc-provider';
import type { ClientMetadata } from './client-store.ts';
import { CLIENT_RULES } from './client-rules.ts';
import type { Resources } from './resources.ts';

export function clientValidator(issuer: string, resources: Resources): (metadata: ClientMetadata) => Promise<void> {
  let provider: Provider | undefined;
  return async (metadata) => {
    provider ??= new Provider(issuer, {
      ...CLIENT_RULES(resources.scopes),
      adapter: (() => ({ find: async () => undefined })) as never,
      jwks: { keys: [] },
      cookies: { keys: ['only checks metadata'] },
    } as never);
    await (provider.Client as unknown as { validate(metadata: object): Promise<void> }).validate(metadata);
  };
}
