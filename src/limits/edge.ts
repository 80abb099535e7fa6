/**
 * Requests by source, in front of every page and API: few for what guesses at secrets or sends mail, many for the rest.
 * koa-ratelimit decides; where it counts is given to it, because its own memory never shrinks and its Redis fails open
 * or shut with the server.
 */
import type { Context, Middleware } from 'koa';
import ratelimit from 'koa-ratelimit';
import { AppError } from '../errors.ts';
import { sourceOf } from './sources.ts';
import type { Windows } from './windows.ts';

const MINUTE_MS = 60_000;

export interface EdgeLimitOptions {
  actions: { windows: Windows; perMinute: number };
  pages: { windows: Windows; perMinute: number };
  addressOf(ctx: Context): string;
  /** A request was refused. */
  onLimited?(limit: 'action' | 'page'): void;
}

/** Forms and calls that try a secret, or make us send mail. */
const ACTION =
  /^\/(login|register|verify|forgot|reset|invitation|sign-in|security)\/|^\/account\/security\/|^\/api\/v1\/account\/password$/;
/** What is the same for everybody and costs nothing, and what probes ask. */
const FREE = /^\/(assets\/|livez$|readyz$|healthz$|openapi\.json$|\.well-known\/)/;

export function edgeLimits({ actions, pages, addressOf, onLimited = () => {} }: EdgeLimitOptions): Middleware[] {
  const isAction = (ctx: Context) => ctx.method === 'POST' && ACTION.test(plain(ctx.path));
  return [
    limit('action', actions, onLimited, (ctx) => isAction(ctx) && sourceOf(addressOf(ctx))),
    limit('page', pages, onLimited, (ctx) => !isAction(ctx) && !FREE.test(ctx.path) && sourceOf(addressOf(ctx))),
  ];
}

/** As routes are matched: in any case of letters, with a slash at the end or without. */
function plain(path: string): string {
  return path.toLowerCase().replace(/\/$/, '');
}

function limit(
  name: 'action' | 'page',
  { windows, perMinute }: { windows: Windows; perMinute: number },
  onLimited: (limit: 'action' | 'page') => void,
  id: (ctx: Context) => string | false,
): Middleware {
  return ratelimit({
    driver: 'redis',
    db: counter(windows) as never,
    duration: MINUTE_MS,
    max: perMinute,
    id: (ctx: Context) => {
      const source = id(ctx);
      return source === false ? (false as never) : `${name}:${source}`;
    },
    disableHeader: true,
    onLimited: (ctx: Context) => {
      const { after } = ctx.state['rateLimit'] as { after: number };
      const seconds = Math.max(1, after);
      onLimited(name);
      throw new AppError('too_many_attempts', {
        message: `Too many requests came from this address. Try again in ${seconds} seconds.`,
        retryAfter: seconds,
        headers: {
          'RateLimit-Limit': String(perMinute),
          'RateLimit-Remaining': '0',
          'RateLimit-Reset': String(seconds),
        },
      });
    },
  } as never) as unknown as Middleware;
}

/** The call that koa-ratelimit makes of a Redis connection, on our windows:
 * `[hits left before this one, end of the window in seconds since 1970, maximum]`. */
function counter(windows: Windows) {
  return {
    async ratelimiter(key: string, _now: number, durationMs: number, max: number): Promise<[number, number, number]> {
      const hits = await windows.hit(key, durationMs);
      const end = Math.ceil(Date.now() / durationMs) * durationMs;
      return [Math.max(0, Math.ceil(max - hits + 1)), Math.ceil(end / 1000) + 1, max];
    },
  };
}
