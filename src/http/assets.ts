/**
 * The files of views/assets at /assets/NAME.HASH.EXT: read and compressed once at start, kept by browsers for ever.
 * Knows that one folder, and files of packages that it is given names for.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Middleware } from 'koa';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.png': 'image/png',
  '.js': 'text/javascript; charset=utf-8',
};

export interface Assets {
  /** The address of a file, as a path. @throws Error for a file that isn't there */
  url(name: string): string;
  /** Answers GET and HEAD below /assets/; everything else goes on. */
  middleware: Middleware;
}

type Coding = 'br' | 'gzip' | 'identity';

interface Asset {
  url: string;
  type: string;
  /** By content coding, best first; compressed at the first request, because a start should not wait for it. */
  bodies(): Map<Coding, { bytes: Buffer; etag: string }>;
}

/** `others`: files from elsewhere, by the names under which they are served.
 * @throws Error when the folder can't be read or holds a kind of file that has no media type here */
export function createAssets(dir: string, others: Readonly<Record<string, string>> = {}): Assets {
  const own = readdirSync(dir).map((name) => [name, path.join(dir, name)] as const);
  const assets = new Map([...own, ...Object.entries(others)].map(([name, file]) => [name, load(file, name)]));

  function url(name: string): string {
    const asset = assets.get(name);
    if (!asset) throw new Error(`There is no asset "${name}" in ${dir}.`);
    return asset.url;
  }

  const middleware: Middleware = async (ctx, next) => {
    const asked = /^\/assets\/([\w-]+)(?:\.[0-9a-f]{12})?(\.\w+)$/.exec(ctx.path);
    const asset = asked && assets.get(`${asked[1]}${asked[2]}`);
    if (!asset || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next();

    // Another hash is another version's: while instances are being replaced, a page of the new one may ask the old
    // one. It gets what there is, to be asked for again, which is better than a page without its design.
    const current = ctx.path === asset.url;
    ctx.set('Cache-Control', current ? 'public, max-age=31536000, immutable' : 'no-cache');
    ctx.vary('Accept-Encoding');
    // Browsers name gzip before br and like both the same: the order is ours.
    const coding = [...asset.bodies().keys()].find((one) => ctx.acceptsEncodings(one)) ?? 'identity';
    const body = asset.bodies().get(coding)!;
    ctx.status = 200;
    ctx.set('ETag', body.etag);
    ctx.set('X-Content-Type-Options', 'nosniff');
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    if (coding !== 'identity') ctx.set('Content-Encoding', coding);
    ctx.type = asset.type;
    ctx.body = body.bytes;
  };

  return { url, middleware };
}

function load(file: string, name: string): Asset {
  const extension = path.extname(file);
  const type = TYPES[extension];
  if (type === undefined) throw new Error(`${file}: no media type is known for "${extension}" files.`);
  const bytes = readFileSync(file);
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  let coded: ReturnType<Asset['bodies']> | undefined;
  return {
    url: `/assets/${path.basename(name, extension)}.${hash}${extension}`,
    type,
    bodies() {
      coded ??= codings(bytes, hash);
      return coded;
    },
  };
}

/** Nobody else is served meanwhile: what takes seconds for the last few percent is not asked for. */
const LARGE = 100_000;

function codings(bytes: Buffer, hash: string): ReturnType<Asset['bodies']> {
  const large = bytes.length > LARGE;
  const params = { [constants.BROTLI_PARAM_QUALITY]: large ? 5 : constants.BROTLI_MAX_QUALITY };
  const all: Array<[Coding, Buffer]> = [
    ['br', brotliCompressSync(bytes, { params })],
    ['gzip', gzipSync(bytes, { level: large ? 6 : 9 })],
    ['identity', bytes],
  ];
  const useful = all.filter(([coding, coded]) => coding === 'identity' || coded.length < bytes.length);
  return new Map(useful.map(([coding, coded]) => [coding, { bytes: coded, etag: `"${hash}-${coding}"` }]));
}
