/** What is printed to be pasted into an application, for each kind. */
import { randomBytes } from 'node:crypto';
import { DEVICE_GRANT } from '../config/client-rules.ts';
import type { Preset } from './presets.ts';

export interface Registered {
  issuer: string;
  clientId: string;
  clientSecret?: string | undefined;
  redirectUris: string[];
}

export interface NextAuthApplication {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** The application's own origin. */
  url: string;
}

/** `.env.local` and the provider, for next-auth 4 and for Auth.js 5. The key of the application's cookie is fresh. */
export function nextAuthBlock({ issuer, clientId, clientSecret, url }: NextAuthApplication): string {
  const cookieKey = randomBytes(32).toString('base64');
  return `# .env.local
LATCHKEY_ISSUER=${issuer}
LATCHKEY_CLIENT_ID=${clientId}
LATCHKEY_CLIENT_SECRET=${clientSecret}
# next-auth 4
NEXTAUTH_URL=${url}
NEXTAUTH_SECRET=${cookieKey}
# Auth.js 5
AUTH_URL=${url}
AUTH_SECRET=${cookieKey}

// next-auth 4: app/api/auth/[...nextauth]/route.ts
import NextAuth from 'next-auth';

const handler = NextAuth({
  providers: [
    {
      id: 'latchkey',
      name: 'Latchkey',
      type: 'oauth',
      wellKnown: \`\${process.env.LATCHKEY_ISSUER}/.well-known/openid-configuration\`,
      clientId: process.env.LATCHKEY_CLIENT_ID,
      clientSecret: process.env.LATCHKEY_CLIENT_SECRET,
      authorization: { params: { scope: 'openid profile email' } },
      checks: ['pkce', 'state', 'nonce'],
      idToken: true,
      profile: (claims) => ({ id: claims.sub, name: claims.name, email: claims.email, image: claims.picture }),
    },
  ],
});

export { handler as GET, handler as POST };

// Auth.js 5: auth.ts
import NextAuth from 'next-auth';

export const { handlers, auth, signIn, signOut } = NextAuth({
  providers: [
    {
      id: 'latchkey',
      name: 'Latchkey',
      type: 'oidc',
      issuer: process.env.LATCHKEY_ISSUER,
      clientId: process.env.LATCHKEY_CLIENT_ID,
      clientSecret: process.env.LATCHKEY_CLIENT_SECRET,
      checks: ['pkce', 'state', 'nonce'],
    },
  ],
});

// Auth.js 5: app/api/auth/[...nextauth]/route.ts
import { handlers } from '@/auth';

export const { GET, POST } = handlers;`;
}

/** The block for a client that was made by a preset. */
export function presetBlock(preset: Preset, client: Registered): string {
  return BLOCKS[preset](client);
}

const BLOCKS: Readonly<Record<Preset, (client: Registered) => string>> = {
  nextjs: ({ issuer, clientId, clientSecret = '', redirectUris }) =>
    nextAuthBlock({ issuer, clientId, clientSecret, url: URL.parse(redirectUris[0] ?? '')?.origin ?? '' }),
  spa: spaBlock,
  electron: electronBlock,
  service: serviceBlock,
  device: deviceBlock,
};

function spaBlock({ issuer, clientId, redirectUris }: Registered): string {
  const redirectUri = redirectUris[0] ?? '';
  return `// oidc-client-ts 3
import { UserManager } from 'oidc-client-ts';

export const users = new UserManager({
  authority: '${issuer}',
  client_id: '${clientId}',
  redirect_uri: '${redirectUri}',
  post_logout_redirect_uri: '${URL.parse(redirectUri)?.origin ?? ''}/',
  scope: 'openid profile email',
  automaticSilentRenew: true,
});`;
}

function electronBlock({ issuer, clientId, redirectUris }: Registered): string {
  const plain = issuer.startsWith('http:') ? ', { execute: [client.allowInsecureRequests] }' : '';
  return `# .env of examples/electron
LATCHKEY_ISSUER=${issuer}
LATCHKEY_CLIENT_ID=${clientId}

// openid-client 6; the way back: ${redirectUris.join(' or ')}
import * as client from 'openid-client';

const config = await client.discovery(new URL('${issuer}'), '${clientId}', undefined, client.None()${plain});`;
}

function serviceBlock({ issuer, clientId, clientSecret = '' }: Registered): string {
  return `# add --data-urlencode resource=URI for a JWT to one of your APIs
curl ${issuer}/oauth2/token \\
  --user '${clientId}:${clientSecret}' \\
  --data grant_type=client_credentials`;
}

function deviceBlock({ issuer, clientId }: Registered): string {
  return `# 1. show user_code and verification_uri of the answer to the person
curl ${issuer}/oauth2/device_authorization \\
  --data client_id=${clientId} --data-urlencode 'scope=openid profile email'

# 2. ask every \`interval\` seconds until the person has agreed
curl ${issuer}/oauth2/token \\
  --data client_id=${clientId} --data grant_type=${DEVICE_GRANT} \\
  --data device_code=DEVICE_CODE`;
}
