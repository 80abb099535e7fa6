/**
 * Requests by source, in front of every page and API: few for what guesses at secrets or sends mail, many for the rest.
 * koa-ratelimit decides; where it counts is given to it, because its own memory never shrinks and its Redis fails open
 * or shut with the server.
 */
import type { Context, Middleware } from 'koa';
import ratelimit from 'koa-ratelimit';
import { AppError } from '../errors.ts';
import { inWords, rateLimitHeaders } from './refusal.ts';
import type { RequestWindows } from './request-windows.ts';
import { sourceOf } from './sources.ts';
import type { Windows } from './windows.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Browsers that signed in before count each alone, and at one address together as so many strangers. */
const KNOWN_BROWSERS = 10;

export type EdgeLimit = 'action' | 'page' | 'registration';

export interface EdgeLimitOptions {
  windows: RequestWindows;
  rules: {
    actionsPerMinute: number;
    pagesPerMinute: number;
    registrationsPerHour: number;
    /** From where nobody has signed in lately. */
    registrationsPerHourUnfamiliar: number;
  };
  addressOf(ctx: Context): string;
  /** Not limited by address, by the operator's word. */
  isAllowed(address: string): boolean;
  /** The browser, when somebody signed in with it before. */
  deviceOf(ctx: Context): string | undefined;
  isFamiliar(address: string): Promise<boolean>;
  /** A request was refused. */
  onLimited?(limit: EdgeLimit, ctx: Context, durationMs: number): void;
}

/** Forms and calls that try a secret, or make us send mail. */
const ACTION =
  /^\/(login|register|verify|forgot|reset|invitation|sign-in|security)\/|^(\/account|\/api\/v1\/account)\/(security|password|factors|passkeys|email|delete)(\/|$)/;
const REGISTRATION = /^\/register\//;
/** What is the same for everybody and costs nothing, and what probes ask. */
const FREE = /^\/(assets\/|livez$|readyz$|healthz$|openapi\.json$|\.well-known\/)/;

interface Layer {
  name: EdgeLimit;
  windows: Windows;
  durationMs: number;
  max: number;
  /** Under what a request counts; false when it doesn't. */
  id(ctx: Context, source: string): string | false | Promise<string | false>;
}

export function edgeLimits({ windows, rules, onLimited = () => {}, ...options }: EdgeLimitOptions): Middleware[] {
  const { exact } = windows;
  const isAction = (ctx: Context) => ctx.method === 'POST' && ACTION.test(plain(ctx.path));
  const isRegistration = (ctx: Context) => ctx.method === 'POST' && REGISTRATION.test(plain(ctx.path));
  const action = { name: 'action', windows: exact, durationMs: MINUTE_MS } as const;
  const registration = { name: 'registration', windows: exact, durationMs: HOUR_MS } as const;
  const layers: Layer[] = [
    {
      ...action,
      max: rules.actionsPerMinute,
      id: (ctx, source) => isAction(ctx) && `action:${options.deviceOf(ctx) ?? source}`,
    },
    {
      ...action,
      max: rules.actionsPerMinute * KNOWN_BROWSERS,
      id: (ctx, source) => isAction(ctx) && options.deviceOf(ctx) !== undefined && `action-known:${source}`,
    },
    {
      ...registration,
      max: rules.registrationsPerHour,
      id: (ctx, source) => isRegistration(ctx) && `registration:${source}`,
    },
    {
      ...registration,
      max: rules.registrationsPerHourUnfamiliar,
      id: async (ctx, source) =>
        isRegistration(ctx) && !(await options.isFamiliar(options.addressOf(ctx))) && `registration-first:${source}`,
    },
    {
      name: 'page',
      windows: windows.cheap(rules.pagesPerMinute),
      durationMs: MINUTE_MS,
      max: rules.pagesPerMinute,
      id: (ctx, source) => !isAction(ctx) && !FREE.test(ctx.path) && `page:${source}`,
    },
  ];
  return layers.map((layer) => limit(layer));

  function limit({ name, windows: counted, durationMs, max, id }: Layer): Middleware {
    const layer = ratelimit({
      driver: 'redis',
      db: counter(counted) as never,
      duration: durationMs,
      max,
      id: (ctx: Context) => ctx.state['limited'] as string,
      disableHeader: true,
      onLimited: (ctx: Context) => {
        const { after } = ctx.state['rateLimit'] as { after: number };
        const seconds = Math.max(1, after);
        onLimited(name, ctx, durationMs);
        throw new AppError('too_many_attempts', {
          message: `Too many requests came from this address. Try again in ${inWords(seconds)}.`,
          retryAfter: seconds,
          headers: rateLimitHeaders(max, seconds),
        });
      },
    } as never) as unknown as Middleware;
    return async (ctx, next) => {
      const address = options.addressOf(ctx);
      const key = !options.isAllowed(address) && (await id(ctx, sourceOf(address)));
      if (key === false) return next();
      ctx.state['limited'] = key;
      return layer(ctx, next);
    };
  }
}

/** As routes are matched: in any case of letters, with a slash at the end or without. */
function plain(path: string): string {
  return path.toLowerCase().replace(/\/$/, '');
}

/** The call that koa-ratelimit makes of a Redis connection, on our windows:
 * `[hits left before this one, end of the window in seconds since 1970, maximum]`. */
function counter(windows: Windows) {
  return {
    async ratelimiter(key: string, _now: number, durationMs: number, max: number): Promise<[number, number, number]> {
      const hits = await windows.hit(key, durationMs);
      const end = Math.ceil(Date.now() / durationMs) * durationMs;
      return [Math.max(0, Math.floor(max - hits) + 1), Math.ceil(end / 1000) + 1, max];
    },
  };
}
