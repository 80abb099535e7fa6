/** Proof that a form was sent from a page of ours, to the same session or interaction (SECURITY S05). */
import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.ts';

export interface Csrf {
  /** A token for a form; different each time, so that a compressed page gives nothing away (BREACH). */
  token(binding: string): string;
  /** @throws AppError csrf when the request came from elsewhere or the token is not one for this binding. */
  check(ctx: { req: IncomingMessage }, binding: string, token: string | undefined): void;
}

/** Salt of 16 and MAC of 32 bytes, base64url. */
const TOKEN = /^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/;

export interface CsrfOptions {
  /** At least 32 bytes. */
  key: Buffer;
  issuer: URL;
  /** A faster `randomBytes`, where there is one. */
  random?: (count: number) => Buffer;
}

export function createCsrf({ key, issuer, random = randomBytes }: CsrfOptions): Csrf {
  if (key.length < 32) throw new Error('the key of form tokens has at least 32 bytes');
  const secret = createSecretKey(key);

  return {
    token: (binding) => seal(random(16).toString('base64url'), binding),
    check({ req }, binding, token) {
      checkOrigin(req, issuer);
      if (typeof token !== 'string' || !TOKEN.test(token) || !matches(token, binding)) throw staleForm();
    },
  };

  function seal(salt: string, binding: string): string {
    const mac = createHmac('sha256', secret).update(`latchkey form\0${salt}\0${binding}`).digest('base64url');
    return `${salt}.${mac}`;
  }

  function matches(token: string, binding: string): boolean {
    return timingSafeEqual(Buffer.from(seal(token.slice(0, 22), binding)), Buffer.from(token));
  }
}

/**
 * Under `Referrer-Policy: no-referrer` browsers write `Origin: null` on our own form posts too (Fetch, "append a
 * request Origin header"), so null tells nothing; `Sec-Fetch-Site` does, where a browser sends it.
 * @throws AppError csrf when the form was sent from elsewhere.
 */
export function checkOrigin(req: IncomingMessage, issuer: URL): void {
  const { origin } = req.headers;
  const site = req.headers['sec-fetch-site'];
  const foreignOrigin = origin !== undefined && origin !== 'null' && origin !== issuer.origin;
  const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  if (!foreignOrigin && !foreignSite) return;
  const from = foreignOrigin ? `from ${origin}` : 'from another site';
  throw new AppError('csrf', {
    message: `This form was sent ${from}. Forms are accepted from ${issuer.origin} only: open the page there and repeat the step.`,
  });
}

function staleForm(): AppError {
  return new AppError('csrf', {
    message: 'This form belongs to an older page or to another sign-in. Open the page again and repeat the step.',
  });
}
