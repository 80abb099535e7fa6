/**
 * Answers that are given in place of the protocol core's, in its format: OAuth's JSON (RFC 6749 section 5.2), or the
 * error page where a person looks. Never a redirect: who was not understood is not sent anywhere.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { ROUTES } from './provider.ts';

export interface ProtocolRefusal {
  status: number;
  /** A code of RFC 6749 or OpenID Connect. */
  error: string;
  /** English words for the developer. */
  description: string;
  headers?: Record<string, string>;
}

export interface RefuserOptions {
  errorPage(ctx: KoaContextWithOIDC, out: { error: string; error_description: string }, error: Error): void;
  originAllowed(origin: string): Promise<boolean>;
}

export type Refuse = (ctx: KoaContextWithOIDC, refusal: ProtocolRefusal) => Promise<void>;

export function createRefuser({ errorPage, originAllowed }: RefuserOptions): Refuse {
  return async (ctx, { status, error, description, headers = {} }) => {
    const out = { error, error_description: speakable(description) };
    ctx.status = status;
    // An answer that was begun is not given.
    ctx.remove('Location');
    // The same choice as the core's: its authorization endpoint is for browsers only.
    if (isAuthorization(ctx.path) || ctx.accepts('json', 'html') === 'html')
      errorPage(ctx, out, new Error(description));
    else ctx.body = out;
    ctx.status = status;
    ctx.set({ 'Cache-Control': 'no-store', ...headers });
    const origin = ctx.get('origin');
    if (origin === '') return;
    ctx.vary('Origin');
    if (await originAllowed(origin)) ctx.set('Access-Control-Allow-Origin', origin);
  };
}

export function isAuthorization(path: string): boolean {
  return path === ROUTES.authorization || path.startsWith(`${ROUTES.authorization}/`);
}

/** The characters that an `error_description` may have (RFC 6749 section 5.2). */
function speakable(text: string): string {
  return text.replaceAll('"', "'").replace(/[^\x20-\x5b\x5d-\x7e]/g, '?');
}
