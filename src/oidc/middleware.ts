/** What surrounds every request to the protocol core. */

import type { Middleware } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { createInputCheck } from './input.ts';
import { createRefuser, type RefuserOptions } from './refusal.ts';
import { createUnanswered, type UnansweredOptions } from './unanswered.ts';

export interface ProtocolMiddlewareOptions {
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

export function protocolMiddleware(options: ProtocolMiddlewareOptions): Middleware[] {
  const refuse = createRefuser(options);
  const unanswered = createUnanswered({ refuse, onBug: options.onBug });
  const layers = [noStore, preflight, unanswered, createInputCheck(refuse), unavailable, emptyAnswers, afterwards];
  return layers as unknown as Middleware[];

  /** The core answers any origin's preflight; here only those of registered clients learn anything. */
  async function preflight(ctx: KoaContextWithOIDC, next: () => Promise<void>) {
    const origin = ctx.get('origin');
    if (ctx.method !== 'OPTIONS' || OPEN.has(ctx.path) || origin === '' || (await options.originAllowed(origin)))
      return next();
    ctx.vary('Origin');
    ctx.status = 204;
  }

  /** RFC 6749 section 5.1; the core forgets its revocation endpoint. */
  async function noStore(ctx: KoaContextWithOIDC, next: () => Promise<void>) {
    if (!OPEN.has(ctx.path)) ctx.set('Cache-Control', 'no-store');
    await next();
  }

  async function unavailable(ctx: KoaContextWithOIDC, next: () => Promise<void>) {
    await next();
    if (ctx.status === 503) ctx.set('Retry-After', '1');
  }

  /** oidc-client-ts fails on an empty answer that claims to be text. */
  async function emptyAnswers(ctx: KoaContextWithOIDC, next: () => Promise<void>) {
    await next();
    if (ctx.status === 200 && (ctx.body === '' || ctx.body === null || ctx.body === undefined)) {
      ctx.body = Buffer.alloc(0);
      ctx.remove('Content-Type');
    }
  }

  async function afterwards(ctx: KoaContextWithOIDC, next: () => Promise<void>) {
    await next();
    const { oidc } = ctx;
    if (!oidc) return;
    if (oidc.route === 'token' && ctx.status === 200) {
      const refreshed = oidc.entities.RefreshToken;
      if (refreshed?.grantId) await options.grantSeen(refreshed.grantId);
      // Refreshes and a client's own tokens are too many to be of use to who reads the record.
      const grant = String(oidc.params?.['grant_type']);
      if (SIGN_INS.has(grant)) await options.tokensIssued(ctx, grant);
    }
    if (oidc.route === 'authorization' || oidc.route === 'resume') options.backToApp(ctx);
  }
}
