/** Which other origins may use the passkeys of this one (WebAuthn Level 3 section 5.11, related origin requests). */
import type Router from '@koa/router';

export const RELATED_ORIGINS_PATH = '/.well-known/webauthn';

/** @param origins the issuer first; without any other there is nothing to say. */
export function mountRelatedOrigins(router: Router, origins: string[]): void {
  if (origins.length < 2) return;
  router.get(RELATED_ORIGINS_PATH, (ctx) => {
    ctx.set('Cache-Control', 'public, max-age=3600');
    ctx.type = 'application/json';
    ctx.body = JSON.stringify({ origins });
  });
}
