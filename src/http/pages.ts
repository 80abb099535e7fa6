/** Every failure of a hosted page as the `error` page. Knows that page's data, not its words or its looks. */
import type { Context, Middleware } from 'koa';
import type { AppError } from '../errors.ts';
import type { Log } from './log.ts';
import { errorHeaders, known, unmatchedRoute } from './problem.ts';
import { requestContext } from './request-context.ts';

export interface PageErrorOptions {
  /** The renderer's `page`. */
  page: (ctx: Context, name: string, data: Record<string, unknown>) => void;
  /** Tells the developer which parameter is wrong. Never in production. */
  development: boolean;
  log: Pick<Log, 'error'>;
}

export interface ErrorPage {
  status: number;
  code: string;
  /** Always null here: the page has its own words for each code, in the reader's language. */
  title: null;
  message: null;
  requestId: string;
  developer: { label: string; value: string }[] | null;
  backUrl: null;
  /** Seconds. */
  retryAfter: number | null;
}

/** Catches everything behind it, and shows the page for 404 or 405 where no route answered. */
export function pageErrors(options: PageErrorOptions): Middleware {
  return async (ctx, next) => {
    try {
      await next();
      const unmatched = unmatchedRoute(ctx);
      if (unmatched) show(ctx, unmatched, options);
    } catch (error) {
      show(ctx, known(error, ctx, options.log), options);
    }
  };
}

function show(ctx: Context, error: AppError, { page, development, log }: PageErrorOptions): void {
  if (ctx.headerSent) return;
  const data: ErrorPage = {
    status: error.status,
    code: error.code,
    title: null,
    message: null,
    requestId: requestContext(ctx.req).id,
    developer: development ? developerRows(error) : null,
    backUrl: null,
    retryAfter: error.retryAfter ?? null,
  };
  try {
    page(ctx, 'error', { ...data });
  } catch (fault) {
    // The last resort: the error page itself is broken, and koa's own answer would lose the headers.
    log.error({ err: fault, request_id: data.requestId }, 'the error page could not be shown');
    ctx.body = `${error.status}\n\nRequest ${data.requestId}\n`;
    ctx.type = 'text/plain; charset=utf-8';
  }
  errorHeaders(ctx, error);
}

function developerRows(error: AppError): { label: string; value: string }[] {
  const rows: { label: string; value: string }[] = [{ label: error.code, value: error.message }];
  for (const { field, code, values } of error.fields) {
    const detail = Object.entries(values ?? {}).map(([name, value]) => `${name} ${value}`);
    rows.push({ label: field || 'form', value: [code, ...detail].join(', ') });
  }
  if (error.cause instanceof Error) rows.push({ label: error.cause.name, value: error.cause.message });
  return rows;
}
