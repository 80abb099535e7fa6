/**
 * An answer of the protocol core leaves when all that it promises is stored: its writes are one unit of work, and when
 * that fails nobody gets a token, a code or a cookie of it.
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider';
import { AppError } from '../errors.ts';
import { READ_ONLY } from './provider.ts';
import { isAuthorization, type Refuse } from './refusal.ts';
import { ownerGone } from './unavailable.ts';

export interface OneUnitOptions {
  inRequest(work: () => Promise<void>): Promise<void>;
  refuse: Refuse;
  /** Another request had the same code or refresh token and was first. */
  overtaken(ctx: KoaContextWithOIDC, refusal: OIDCProviderError): Promise<void>;
  /** A sign-in was finished with this canonical address, and its session is stored. */
  signedIn(ctx: KoaContextWithOIDC, address: string): void;
  onBug(error: unknown, ctx: KoaContextWithOIDC): void;
}

type OIDCProviderError = errors.OIDCProviderError;

export function createOneUnit({ inRequest, refuse, overtaken, signedIn, onBug }: OneUnitOptions) {
  // Where nothing is promised there is nothing to wait for, and no commit waits for it.
  return (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> =>
    READ_ONLY.has(ctx.path) ? next() : oneUnit(ctx, next);

  async function oneUnit(ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> {
    try {
      await inRequest(next);
      const address = (ctx.oidc?.result?.login as { address?: string } | undefined)?.address;
      if (address !== undefined) signedIn(ctx, address);
    } catch (error) {
      for (const name of ['Location', 'Set-Cookie']) ctx.remove(name);
      if (error instanceof errors.OIDCProviderError) return overtaken(ctx, error);
      if (error instanceof AppError && error.code === 'interaction_expired') {
        return refuse(ctx, { status: error.status, error: 'access_denied', description: error.message });
      }
      const gone = ownerGone(error);
      if (gone) {
        onBug(error, ctx);
        const code = isAuthorization(ctx.path) ? 'access_denied' : 'invalid_grant';
        return refuse(ctx, { status: 400, error: code, description: gone.message });
      }
      onBug(error, ctx);
      if (!(error instanceof AppError)) {
        const description = 'Something went wrong on the server. It has been logged.';
        return refuse(ctx, { status: 500, error: 'server_error', description });
      }
      const headers = { 'Retry-After': String(error.retryAfter ?? 1) };
      await refuse(ctx, { status: 503, error: 'temporarily_unavailable', description: error.message, headers });
    }
  }
}
