/**
 * The protocol's addresses at which anybody can make the service store something, limited by source as pages are: each
 * request begins an interaction, a session, a device code or a pushed request. What applications' own servers redeem for
 * the many people behind them is not counted here.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { rateLimitHeaders } from '../limits/refusal.ts';
import type { RequestWindows } from '../limits/request-windows.ts';
import { sourceOf } from '../limits/sources.ts';
import { secondsLeft } from '../limits/windows.ts';
import { MACHINE_PATHS, ROUTES } from './provider.ts';
import type { Refuse } from './refusal.ts';

const MINUTE_MS = 60_000;
const LIMITED: readonly string[] = [
  ROUTES.authorization,
  ROUTES.code_verification,
  ROUTES.device_authorization,
  ROUTES.end_session,
];

/** From applications' servers, or from apps: more than a browser, but not without end. */
const PUSHED: readonly string[] = [ROUTES.pushed_authorization_request, ROUTES.registration];

export interface SourceLimitOptions {
  windows: RequestWindows;
  rules: { pagesPerMinute: number; pushedPerMinute: number };
  isAllowed(address: string): boolean;
  addressOf(req: KoaContextWithOIDC['req']): string;
  refuse: Refuse;
  onLimited(limit: string, ctx: KoaContextWithOIDC, durationMs: number): void;
}

export function createSourceLimit({ windows, rules, isAllowed, addressOf, refuse, onLimited }: SourceLimitOptions) {
  const limitFor = (name: string, max: number) => ({ name, max, windows: windows.cheap(max) });
  const pages = limitFor('protocol', rules.pagesPerMinute);
  const pushed = limitFor('pushed', rules.pushedPerMinute);
  const limits = new Map([
    ...LIMITED.map((path) => [path, pages] as const),
    ...PUSHED.map((path) => [path, pushed] as const),
  ]);

  async function limited(ctx: KoaContextWithOIDC, next: () => Promise<void>, limit: typeof pages): Promise<void> {
    const address = addressOf(ctx.req);
    if (isAllowed(address)) return next();
    if ((await limit.windows.hit(`${limit.name}:${sourceOf(address)}`, MINUTE_MS)) <= limit.max) return next();
    onLimited(limit.name, ctx, MINUTE_MS);
    const seconds = secondsLeft(MINUTE_MS);
    const description = `Too many requests came from this address. Try again in ${seconds} seconds.`;
    const headers = { 'Retry-After': String(seconds), ...rateLimitHeaders(limit.max, seconds) };
    await refuse(ctx, { status: 429, error: 'temporarily_unavailable', description, headers });
  }

  return (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    // As the core matches routes.
    const limit = limits.get(ctx.path) ?? (MACHINE_PATHS.has(ctx.path) ? undefined : limits.get(plain(ctx.path)));
    return limit ? limited(ctx, next, limit) : next();
  };
}

function plain(path: string): string {
  return path.toLowerCase().replace(/\/$/, '');
}
