/**
 * Compression, only where it was asked for. The length of a compressed answer tells about its content, so an answer
 * that holds a secret (token, code, client secret, the library's form_post page) must never be compressed beside text
 * that somebody else chose (BREACH). A rule by media type can't know that: pages of ours set `ctx.state.compress`
 * (their only secrets are form tokens, salted anew each time), public documents are named by path.
 */
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib';
import type { Context, Middleware } from 'koa';
import koaCompress from 'koa-compress';

export interface CompressOptions {
  /** Exact paths of documents that are the same for everybody: discovery, keys, the API description. */
  publicPaths: readonly string[];
}

/** Bytes of text. Smaller ones gain nothing. */
const SMALLEST = 1024;
/** A text up to here is coded in less time than a stream and its way to another thread and back take. */
const LARGEST_AT_ONCE = 32_768;
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

/** Best first, as koa-compress has it for those that a browser likes the same. */
const CODINGS = {
  zstd: zstdCompressSync,
  br: (text: string) => brotliCompressSync(text, BROTLI),
  gzip: gzipSync,
} as const satisfies Record<string, (text: string) => Buffer>;

export function compress({ publicPaths }: CompressOptions): Middleware {
  const paths = new Set(publicPaths);
  const compressed = koaCompress({ threshold: SMALLEST, br: BROTLI, deflate: false });
  return (ctx, next) =>
    compressed(ctx, async () => {
      await next();
      if (ctx.state.compress !== true && !paths.has(ctx.path)) ctx.compress = false;
      else if (typeof ctx.body === 'string') codeAtOnce(ctx, ctx.body);
    });
}

/** What it leaves alone is koa-compress's to decide. */
function codeAtOnce(ctx: Context, text: string): void {
  const { length } = ctx.response;
  if (length === undefined || length < SMALLEST || length > LARGEST_AT_ONCE || ctx.method === 'HEAD') return;
  const coding = plainlyAccepted(ctx.get('accept-encoding'));
  if (!coding || ctx.response.get('Content-Encoding')) return;
  ctx.body = CODINGS[coding](text);
  ctx.set('Content-Encoding', coding);
}

/** Of a header that only lists codings, which is what browsers send; others have weights to be compared. */
function plainlyAccepted(header: string): keyof typeof CODINGS | undefined {
  const listed = header
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim());
  if (!listed.every((coding) => /^[a-z-]+$/.test(coding))) return undefined;
  return (Object.keys(CODINGS) as (keyof typeof CODINGS)[]).find((coding) => listed.includes(coding));
}
