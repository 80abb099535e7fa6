/** What surrounds every request to the protocol core. */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { createInputCheck } from './input.ts';
import { createRefuser, type RefuserOptions } from './refusal.ts';
import { createUnanswered, type UnansweredOptions } from './unanswered.ts';

export interface SurroundingsOptions {
  issuer: URL;
  grantSeen(grantId: string): Promise<void>;
  /** Somebody signed in to an application. */
  tokensIssued(ctx: KoaContextWithOIDC, grant: string): Promise<void>;
  backToApp(ctx: KoaContextWithOIDC): void;
  originAllowed(origin: string): Promise<boolean>;
  errorPage: RefuserOptions['errorPage'];
  onBug: UnansweredOptions['onBug'];
}

const SIGN_INS = new Set(['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code']);

/** Public documents, which any page may read. */
const OPEN = new Set([
  '/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server',
  '/.well-known/jwks.json',
]);

const EMPTY = Buffer.alloc(0);

/** One layer for all of it: each layer costs every request a turn of promises. */
export function createSurroundings(options: SurroundingsOptions) {
  const refuse = createRefuser(options);
  const answered = createUnanswered({ refuse, onBug: options.onBug });
  const inputFault = createInputCheck({ refuse, issuer: options.issuer });

  return async function surroundings(ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> {
    const open = OPEN.has(ctx.path);
    // RFC 6749 section 5.1; the core forgets its revocation endpoint.
    if (!open) ctx.set('Cache-Control', 'no-store');
    if (ctx.method === 'OPTIONS' && !open && (await keptFrom(ctx))) return;
    await answered(ctx, async () => {
      if (await inputFault(ctx)) return;
      await next();
      const { oidc } = ctx;
      if (oidc?.route === 'token' && ctx.status === 200) await issued(ctx);
      if (oidc?.route === 'authorization' || oidc?.route === 'resume') options.backToApp(ctx);
      speakPlainly(ctx);
    });
  };

  /** The core answers any origin's preflight; here only those of registered clients learn anything. */
  async function keptFrom(ctx: KoaContextWithOIDC): Promise<boolean> {
    const origin = ctx.get('origin');
    if (origin === '' || (await options.originAllowed(origin))) return false;
    ctx.vary('Origin');
    ctx.status = 204;
    return true;
  }

  async function issued(ctx: KoaContextWithOIDC): Promise<void> {
    const { oidc } = ctx;
    const grant = String(oidc.params?.['grant_type']);
    const { RefreshToken: refreshed, RotatedRefreshToken: rotated } = oidc.entities;
    // A new refresh token says by itself that the app was here.
    if (grant === 'refresh_token' && !rotated && refreshed?.grantId) await options.grantSeen(refreshed.grantId);
    // Refreshes and a client's own tokens are too many to be of use to who reads the record.
    if (SIGN_INS.has(grant)) await options.tokensIssued(ctx, grant);
  }
}

function speakPlainly(ctx: KoaContextWithOIDC): void {
  if (ctx.status === 503) ctx.set('Retry-After', '1');
  // oidc-client-ts fails on an empty answer that claims to be text.
  if (ctx.status === 200 && (ctx.body === '' || ctx.body === null || ctx.body === undefined)) {
    ctx.body = EMPTY;
    ctx.remove('Content-Type');
  }
}
