/**
 * Answers of the layers below koa: a request that is refused before any page or API could say so.
 * A browser gets plain words (text, so that nothing can be framed or injected), everybody else problem+json.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { ErrorCode } from '../errors.ts';
import { requestContext } from './request-context.ts';

export interface Refusal {
  code: ErrorCode;
  /** May be finer than the code's own status (414 and 400 are both `invalid_request`). */
  status: number;
  detail: string;
  headers?: Record<string, string>;
}

/** Headers that suit any answer which is no page. */
export const BARE_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

export function refuse(req: IncomingMessage, res: ServerResponse, refusal: Refusal): void {
  const { id } = requestContext(req);
  const plain = req.headers.accept?.includes('text/html') ?? false;
  const body = plain ? inWords(refusal, id) : inJson(refusal, id);
  res.writeHead(refusal.status, {
    ...BARE_HEADERS,
    ...refusal.headers,
    'Content-Type': plain ? 'text/plain; charset=utf-8' : 'application/problem+json',
    'Content-Length': Buffer.byteLength(body),
    Vary: 'Accept',
  });
  res.end(req.method === 'HEAD' ? undefined : body);
}

function inWords({ status, detail }: Refusal, id: string): string {
  return `${status} ${STATUS_CODES[status]}\n\n${detail}\n\nRequest ${id}\n`;
}

function inJson({ code, status, detail }: Refusal, id: string): string {
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, code, request_id: id });
}
