/**
 * The two documents that every client fetches, discovery and the key set, as ready bytes: put together once for a
 * protocol core, compressed once, answered in front of it. Knows the core only as the one that words the discovery.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Context, Middleware } from 'koa';
import type { JWK } from 'oidc-provider';
import { requestContext } from '../http/request-context.ts';
import { CACHE_LIFE } from './key-states.ts';
import { ROUTES } from './provider.ts';

/** Both addresses have the same document: OpenID Connect Discovery and RFC 8414. */
const DISCOVERY = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'];
/** Addresses of what is the same for everybody. */
export const DOCUMENTS: ReadonlySet<string> = new Set([ROUTES.jwks, ...DISCOVERY]);
/** What the server says about request and connection, whoever answers. */
const KEPT = new Set(['x-request-id', 'connection']);

type Coding = 'br' | 'gzip' | 'identity';
/** The bytes are a string of as many characters, which Node sends in one piece with the headers. */
type Document = Map<Coding, { bytes: string; etag: string; headers: string[]; unchanged: string[] }>;

export interface DocumentsOptions {
  published: { keys: JWK[] };
  /** Security headers that suit any answer which is no page. */
  headers: Readonly<Record<string, string>>;
}

export function createDocuments({ published, headers }: DocumentsOptions) {
  const documents = new Map([[ROUTES.jwks as string, ready(published, 'application/jwk-set+json; charset=utf-8')]]);

  /** Reading one of the documents, under exactly its address. @returns whether it was answered. */
  function answer(req: IncomingMessage, res: ServerResponse): boolean {
    return (req.method === 'GET' || req.method === 'HEAD') && send(req, res, documents.get(req.url as string));
  }

  /**
   * The outermost layer of the core. The first request for discovery comes this way, and any with a query: what the
   * core lets pass is answered with the same bytes.
   */
  const middleware: Middleware = (ctx, next) => (DOCUMENTS.has(ctx.path) ? readyMade(ctx, next) : next());

  async function readyMade(ctx: Context, next: () => Promise<unknown>): Promise<void> {
    await next();
    if (ctx.status !== 200 || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return;
    if (DISCOVERY.includes(ctx.path) && !documents.has(ctx.path)) {
      const document = ready(ctx.body as object, 'application/json; charset=utf-8');
      for (const path of DISCOVERY) documents.set(path, document);
    }
    if (!documents.has(ctx.path)) return;
    for (const name of ctx.res.getHeaderNames()) if (!KEPT.has(name)) ctx.res.removeHeader(name);
    ctx.respond = false;
    send(ctx.req, ctx.res, documents.get(ctx.path));
  }

  function ready(content: object, type: string): Document {
    const bytes = Buffer.from(JSON.stringify(content));
    const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
    const codings: Array<[Coding, Buffer]> = [
      ['br', brotliCompressSync(bytes)],
      ['gzip', gzipSync(bytes, { level: 9 })],
      ['identity', bytes],
    ];
    return new Map(
      codings.map(([coding, coded]) => {
        const etag = `"${hash}-${coding}"`;
        const always = {
          ...headers,
          'Access-Control-Allow-Origin': '*',
          'Cache-Control': `public, max-age=${CACHE_LIFE}`,
          ETag: etag,
          Vary: 'Accept-Encoding',
        };
        const content = {
          'Content-Type': type,
          'Content-Length': String(coded.length),
          ...(coding === 'identity' ? {} : { 'Content-Encoding': coding }),
        };
        // Flat, Node takes them as they are, where nothing else is set on the answer.
        const flat = (all: object) => Object.entries(all).flat() as string[];
        const unchanged = flat(always);
        return [
          coding,
          { bytes: coded.toString('latin1'), etag, headers: [...unchanged, ...flat(content)], unchanged },
        ];
      }),
    );
  }

  return { answer, middleware };
}

function send(req: IncomingMessage, res: ServerResponse, document: Document | undefined): boolean {
  const form = document?.get(codingFor(req.headers['accept-encoding']));
  if (!form) return false;
  if (isKnown(req.headers['if-none-match'], form.etag)) {
    res.writeHead(304, withId(form.unchanged, req, res)).end();
  } else {
    res.writeHead(200, withId(form.headers, req, res));
    if (req.method === 'HEAD') res.end();
    else res.end(form.bytes, 'latin1');
  }
  return true;
}

function withId(headers: string[], req: IncomingMessage, res: ServerResponse): string[] {
  return res.hasHeader('X-Request-ID') ? headers : headers.concat('X-Request-ID', requestContext(req).id);
}

/** RFC 9110 section 12.5.3; a coding with weight zero is refused. */
function codingFor(accepted: string | undefined): Coding {
  if (!accepted) return 'identity';
  for (const coding of ['br', 'gzip'] as const) {
    const [, weight = '1'] = new RegExp(`(?:^|[\\s,])${coding}\\s*(?:;\\s*q=([\\d.]+))?\\s*(?:,|$)`, 'i').exec(
      accepted,
    ) ?? ['', '0'];
    if (Number(weight) > 0) return coding;
  }
  return 'identity';
}

/** RFC 9110 section 13.1.2: weak comparison with any of a list. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((each) => ['*', etag, `W/${etag}`].includes(each.trim()));
}
