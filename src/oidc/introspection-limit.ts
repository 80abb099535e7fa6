/**
 * How often a client may ask about tokens, in all processes together and from wherever it asks: so much that a resource
 * server that asks at each request does not feel it, and an end to guessing at tokens with a client's name.
 */
import Provider, { type KoaContextWithOIDC } from 'oidc-provider';
import { rateLimitHeaders } from '../limits/refusal.ts';
import type { RequestWindows } from '../limits/request-windows.ts';
import { secondsLeft } from '../limits/windows.ts';
import { TooManyRequests } from './guesses.ts';
import { orUnavailable } from './unavailable.ts';

const MINUTE_MS = 60_000;
const KINDS = ['AccessToken', 'ClientCredentials', 'RefreshToken'] as const;

export interface IntrospectionLimitOptions {
  windows: Pick<RequestWindows, 'cheap'>;
  rules: { introspectionsPerMinute: number };
  onLimited(limit: 'introspection', ctx: KoaContextWithOIDC, durationMs: number): void;
}

type Find = (value: string, options?: object) => Promise<object | undefined>;

/** @returns what is to be called with each core. */
export function createIntrospectionLimit({ windows, rules, onLimited }: IntrospectionLimitOptions) {
  const max = rules.introspectionsPerMinute;
  const hit = orUnavailable(windows.cheap(max).hit);
  /** The core looks among several kinds of tokens for one request. */
  const counted = new WeakMap<object, Promise<void>>();

  async function count(ctx: KoaContextWithOIDC): Promise<void> {
    if ((await hit(`introspection:${ctx.oidc.client?.clientId}`, MINUTE_MS)) <= max) return;
    const seconds = secondsLeft(MINUTE_MS);
    onLimited('introspection', ctx, MINUTE_MS);
    ctx.set({ 'Retry-After': String(seconds), ...rateLimitHeaders(max, seconds) });
    throw new TooManyRequests(`too many requests of this client: try again in ${seconds} seconds`);
  }

  return (core: Provider): void => {
    for (const kind of KINDS) {
      const model = core[kind] as unknown as { find: Find };
      const find = model.find.bind(model);
      // Looked for after the client has shown who it is.
      model.find = async (value, options) => {
        const ctx = Provider.ctx as KoaContextWithOIDC | undefined;
        if (ctx?.oidc?.route !== 'introspection') return find(value, options);
        const counting = counted.get(ctx) ?? count(ctx);
        counted.set(ctx, counting);
        await counting;
        return find(value, options);
      };
    }
  };
}
