/** Every failure of an API as RFC 9457 problem+json: known ones in words, bugs bare (the whole error goes to the log). */
import { STATUS_CODES } from 'node:http';
import type { Context, Middleware } from 'koa';
import { AppError, type FieldError } from '../errors.ts';
import type { Log } from './log.ts';
import { requestContext } from './request-context.ts';

export interface ProblemOptions {
  log: Pick<Log, 'error'>;
  /** English words for one field's fault, from the message catalogue; without it the code itself is spelt out. */
  explain?: (error: FieldError) => string;
}

/** The body of an answer with the type `application/problem+json`. */
export interface Problem {
  type: 'about:blank';
  title: string;
  status: number;
  detail: string;
  code: string;
  request_id: string;
  errors?: { field: string; code: string; detail: string }[];
}

/** Catches everything behind it, and answers 404 or 405 where no route did. */
export function problems({ log, explain = spellOut }: ProblemOptions): Middleware {
  return async (ctx, next) => {
    try {
      await next();
      const unmatched = unmatchedRoute(ctx);
      if (unmatched) answer(ctx, unmatched, explain);
    } catch (error) {
      answer(ctx, known(error, ctx, log), explain);
    }
  };
}

/** What koa's own 404 and the router's 405 say about a request that no route took; undefined if one did. */
export function unmatchedRoute(ctx: Context): AppError | undefined {
  if (ctx.respond === false || ctx.headerSent || ctx.body != null) return undefined;
  if (ctx.status === 404) return new AppError('not_found', { message: `There is nothing at ${ctx.path}.` });
  if (ctx.status !== 405 && ctx.status !== 501) return undefined;
  const allowed = ctx.response.get('Allow');
  const words = `${ctx.method} is not possible at ${ctx.path}${allowed && `, only ${allowed}`}.`;
  return new AppError('method_not_allowed', { message: words });
}

/** An error that is not ours is a bug: nothing of it leaves the process but the id under which it is logged. */
export function known(thrown: unknown, ctx: Context, log: Pick<Log, 'error'>): AppError {
  // What ran through the protocol core comes back as its error, with ours as the cause.
  const inner = thrown instanceof Error && !(thrown instanceof AppError) ? thrown.cause : undefined;
  const error = inner instanceof AppError ? inner : thrown;
  if (error instanceof AppError && error.status < 500) return error;
  log.error({ err: error, request_id: requestContext(ctx.req).id, method: ctx.method }, 'a request failed');
  if (error instanceof AppError) return error;
  // The protocol core's own error for a store that does not answer, from where pages ask it for a sign-in or a client.
  if ((error as { status?: unknown } | undefined)?.status === 503) {
    const message = 'The data store does not answer at the moment. Try again in a moment.';
    return new AppError('storage_unavailable', { message, retryAfter: 1, cause: error });
  }
  return new AppError('internal_error', {
    message: 'Something went wrong on the server. It has been logged under the id of this request.',
    cause: error,
  });
}

function answer(ctx: Context, error: AppError, explain: (error: FieldError) => string): void {
  if (ctx.headerSent) return;
  const body: Problem = {
    type: 'about:blank',
    title: STATUS_CODES[error.status] ?? 'Error',
    status: error.status,
    detail: error.message === error.code ? spellOut(error) : error.message,
    code: error.code,
    request_id: requestContext(ctx.req).id,
  };
  if (error.fields.length > 0) {
    body.errors = error.fields.map((fault) => ({ field: fault.field, code: fault.code, detail: explain(fault) }));
  }
  ctx.body = JSON.stringify(body);
  errorHeaders(ctx, error);
  ctx.type = 'application/problem+json';
}

/** Status and headers of a failure, for pages as for APIs. To be called after the body is set. */
export function errorHeaders(ctx: Context, error: AppError): void {
  ctx.status = error.status;
  for (const stale of ['ETag', 'Last-Modified', 'Content-Encoding']) ctx.remove(stale);
  ctx.set(error.headers);
  if (error.retryAfter !== undefined) ctx.set('Retry-After', String(Math.max(1, Math.ceil(error.retryAfter))));
  ctx.set('Cache-Control', 'no-store');
}

function spellOut({ code }: { code: string }): string {
  const words = code.replaceAll('_', ' ');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
