/** Requests that the protocol core leaves without an answer: no such address, another method, or a bug. */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { requestContext } from '../http/request-context.ts';
import { ROUTES } from './provider.ts';
import type { Refuse } from './refusal.ts';

const READ = ['GET', 'HEAD'];
const CALL = ['POST', 'OPTIONS'];

/** The methods of each address that the core serves. */
const METHODS: Record<string, string[]> = {
  [ROUTES.authorization]: READ,
  [ROUTES.token]: CALL,
  [ROUTES.userinfo]: [...READ, ...CALL],
  [ROUTES.introspection]: CALL,
  [ROUTES.revocation]: CALL,
  [ROUTES.pushed_authorization_request]: CALL,
  [ROUTES.device_authorization]: CALL,
  [ROUTES.code_verification]: [...READ, 'POST'],
  [ROUTES.end_session]: READ,
  [`${ROUTES.end_session}/confirm`]: ['POST'],
  [`${ROUTES.end_session}/success`]: READ,
  [ROUTES.jwks]: [...READ, 'OPTIONS'],
  '/.well-known/openid-configuration': [...READ, 'OPTIONS'],
  '/.well-known/oauth-authorization-server': [...READ, 'OPTIONS'],
};

export interface UnansweredOptions {
  refuse: Refuse;
  onBug(error: unknown, ctx: KoaContextWithOIDC): void;
}

export function createUnanswered({ refuse, onBug }: UnansweredOptions) {
  return async function unanswered(ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> {
    try {
      await next();
    } catch (error) {
      onBug(error, ctx);
      // Ours or the core's own, from where it saves the session after the answer is made.
      if ((error as { status?: unknown }).status === 503) {
        const description = 'The data store does not answer at the moment. Try again in a moment.';
        const headers = { 'Retry-After': '1' };
        return refuse(ctx, { status: 503, error: 'temporarily_unavailable', description, headers });
      }
      const description = `Something went wrong on the server. It has been logged under the id ${requestContext(ctx.req).id}.`;
      return refuse(ctx, { status: 500, error: 'server_error', description });
    }
    if (ctx.status !== 404 || ctx.body != null) return;
    const methods = METHODS[ctx.path.replace(/\/$/, '')];
    if (ctx.method === 'OPTIONS' && methods) {
      ctx.set('Allow', methods.join(', '));
      ctx.status = 204;
    } else if (methods) {
      const description = `${ctx.method} is not possible at ${ctx.path}, only ${methods.join(', ')}.`;
      await refuse(ctx, { status: 405, error: 'invalid_request', description, headers: { Allow: methods.join(', ') } });
    } else {
      await refuse(ctx, { status: 404, error: 'invalid_request', description: `There is nothing at ${ctx.path}.` });
    }
  };
}
