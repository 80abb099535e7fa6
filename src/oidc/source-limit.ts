/**
 * The protocol's addresses at which anybody can make the service store something, limited by source as pages are: each
 * request begins an interaction, a session or a device code. Applications' own servers, behind which many people stand,
 * are not counted here.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { sourceOf } from '../limits/sources.ts';
import type { Windows } from '../limits/windows.ts';
import { MACHINE_PATHS, ROUTES } from './provider.ts';
import type { Refuse } from './refusal.ts';

const MINUTE_MS = 60_000;
const LIMITED: ReadonlySet<string> = new Set([
  ROUTES.authorization,
  ROUTES.code_verification,
  ROUTES.device_authorization,
  ROUTES.end_session,
]);

export interface SourceLimitOptions {
  windows: Windows;
  perMinute: number;
  addressOf(req: KoaContextWithOIDC['req']): string;
  refuse: Refuse;
}

export function createSourceLimit({ windows, perMinute, addressOf, refuse }: SourceLimitOptions) {
  async function limited(ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> {
    if ((await windows.hit(`protocol:${sourceOf(addressOf(ctx.req))}`, MINUTE_MS)) <= perMinute) return next();
    const seconds = Math.ceil((MINUTE_MS - (Date.now() % MINUTE_MS)) / 1000);
    const description = `Too many requests came from this address. Try again in ${seconds} seconds.`;
    const headers = { 'Retry-After': String(seconds) };
    await refuse(ctx, { status: 429, error: 'temporarily_unavailable', description, headers });
  }

  return (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    if (MACHINE_PATHS.has(ctx.path) && !LIMITED.has(ctx.path)) return next();
    // As the core matches routes.
    const path = ctx.path.toLowerCase().replace(/\/$/, '');
    return LIMITED.has(path) ? limited(ctx, next) : next();
  };
}
