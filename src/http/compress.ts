/**
 * Compression, only where it was asked for. The length of a compressed answer tells about its content, so an answer
 * that holds a secret (token, code, client secret, the library's form_post page) must never be compressed beside text
 * that somebody else chose (BREACH). A rule by media type can't know that: pages of ours set `ctx.state.compress`
 * (their only secrets are form tokens, salted anew each time), public documents are named by path.
 */
import { constants } from 'node:zlib';
import type { Middleware } from 'koa';
import koaCompress from 'koa-compress';

export interface CompressOptions {
  /** Exact paths of documents that are the same for everybody: discovery, keys, the API description. */
  publicPaths: readonly string[];
}

export function compress({ publicPaths }: CompressOptions): Middleware {
  const paths = new Set(publicPaths);
  const compressed = koaCompress({
    threshold: 1024,
    br: { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } },
    deflate: false,
  });
  return (ctx, next) =>
    compressed(ctx, async () => {
      await next();
      if (ctx.state.compress !== true && !paths.has(ctx.path)) ctx.compress = false;
    });
}
