/** Metadata (RFC 7591) for the kinds of application that people have. */
import { DEVICE_GRANT } from '../config/client-rules.ts';
import { redirectUriFault } from '../config/redirect-uri.ts';

export const PRESETS = ['nextjs', 'spa', 'electron', 'service', 'device'] as const;
export type Preset = (typeof PRESETS)[number];

interface Kind {
  title: string;
  /** Used when none is given; empty where the kind has no redirect. */
  redirectUris: string[];
  metadata: Record<string, unknown>;
}

const KINDS: Readonly<Record<Preset, Kind>> = {
  nextjs: {
    title: 'Next.js application',
    redirectUris: ['http://localhost:3001/api/auth/callback/latchkey'],
    metadata: {
      application_type: 'web',
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      require_pkce: true,
    },
  },
  spa: {
    title: 'Single-page application',
    redirectUris: ['http://localhost:5173/callback'],
    metadata: {
      application_type: 'web',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
  },
  electron: {
    title: 'Native application',
    redirectUris: ['http://127.0.0.1/callback', 'com.example.app:/callback'],
    metadata: {
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
  },
  service: {
    title: 'Service',
    redirectUris: [],
    metadata: {
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials'],
      response_types: [],
    },
  },
  device: {
    title: 'Device',
    redirectUris: [],
    metadata: {
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: [DEVICE_GRANT, 'refresh_token'],
      response_types: [],
    },
  },
};

/** Whether applications of this kind get people sent back to an address. */
export function redirects(preset: Preset): boolean {
  return KINDS[preset].redirectUris.length > 0;
}

/** Complete metadata but for the id and the secret. Web applications may send people home after a sign-out. */
export function presetMetadata(preset: Preset, given: { name?: string; redirectUris?: string[] } = {}) {
  const { title, redirectUris: usual, metadata } = KINDS[preset];
  const redirectUris = given.redirectUris ?? usual;
  const homes = metadata['application_type'] === 'web' ? [...new Set(redirectUris.flatMap(homeOf))] : [];
  return {
    client_name: given.name ?? title,
    ...metadata,
    redirect_uris: redirectUris,
    ...(homes.length > 0 ? { post_logout_redirect_uris: homes } : {}),
  };
}

/** The start page of the origin, as people write it and as `new URL('/', …)` does; the two are compared as text. */
function homeOf(redirectUri: string): string[] {
  if (redirectUriFault(redirectUri, { applicationType: 'web' })) return [];
  const { origin } = new URL(redirectUri);
  return [origin, `${origin}/`];
}
