/** The files that pages load, over HTTP; and the colours made from a brand's accent. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { before, describe } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import Koa from 'koa';
import { accentColours, SURFACES } from '../src/http/accent.ts';
import { createAssets } from '../src/http/assets.ts';
import { viewsDir } from './support/views.ts';

const dir = path.join(viewsDir, 'assets');
const css = readFileSync(path.join(dir, 'style.css'));

describe('an asset', () => {
  const assets = createAssets(dir);
  let port = 0;

  before(async () => {
    const app = new Koa();
    app.use(assets.middleware);
    const server = http.createServer(app.callback());
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    server.unref();
    port = (server.address() as { port: number }).port;
  });

  function get(url: string, headers: Record<string, string> = {}, method = 'GET') {
    return new Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }>((done, fail) => {
      const request = http.request({ port, path: url, method, headers, agent: false }, async (response) => {
        done({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(await response.toArray()),
        });
      });
      request.on('error', fail).end();
    });
  }

  test('has its content’s hash in its address and is kept for ever', async () => {
    assert.match(assets.url('style.css'), /^\/assets\/style\.[0-9a-f]{12}\.css$/);
    const { status, headers, body } = await get(assets.url('style.css'));
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/css; charset=utf-8');
    assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable');
    assert.equal(headers['content-encoding'], undefined);
    assert.deepEqual(body, css);
  });

  test('comes compressed as the browser likes best, with an entity tag of that form', async () => {
    const url = assets.url('style.css');
    const br = await get(url, { 'accept-encoding': 'gzip, br' });
    assert.equal(br.headers['content-encoding'], 'br');
    assert.deepEqual(brotliDecompressSync(br.body), css);
    const gzip = await get(url, { 'accept-encoding': 'gzip, br;q=0' });
    assert.deepEqual(gunzipSync(gzip.body), css);
    assert.notEqual(br.headers.etag, gzip.headers.etag);
    assert.match(String(br.headers.vary), /accept-encoding/i);
    assert.ok(br.body.length < 6000, `${br.body.length} bytes`);
  });

  test('that the browser has already is not sent again', async () => {
    const first = await get(assets.url('logo.svg'), { 'accept-encoding': 'br' });
    const again = await get(assets.url('logo.svg'), {
      'accept-encoding': 'br',
      'if-none-match': String(first.headers.etag),
    });
    assert.equal(again.status, 304);
    assert.equal(again.body.length, 0);
  });

  test('of another version, or asked for without a hash, is given as it is now and not kept', async () => {
    for (const url of ['/assets/style.0123456789ab.css', '/assets/style.css']) {
      const { status, headers, body } = await get(url);
      assert.equal(status, 200);
      assert.equal(headers['cache-control'], 'no-cache');
      assert.deepEqual(body, css);
    }
  });

  test('answers HEAD, and leaves other methods and unknown names to whoever comes next', async () => {
    const head = await get(assets.url('style.css'), {}, 'HEAD');
    assert.equal(head.status, 200);
    assert.equal(Number(head.headers['content-length']), css.length);
    assert.equal((await get(assets.url('style.css'), {}, 'POST')).status, 404);
    for (const url of ['/assets/../layout.ejs', '/assets/%2e%2e/layout.ejs', '/assets/none.css', '/assets/']) {
      assert.equal((await get(url)).status, 404, url);
    }
    assert.throws(() => assets.url('none.css'), /no asset "none\.css"/);
  });

  test('refers to nothing elsewhere and runs nothing', () => {
    assert.doesNotMatch(css.toString(), /@import|url\(|expression/);
    for (const name of ['logo.svg', 'favicon.svg']) {
      assert.doesNotMatch(readFileSync(path.join(dir, name), 'utf8'), /<script|\son\w+=|href=/);
    }
  });
});

/** WCAG 2.2, "contrast ratio" and "relative luminance", of two #rrggbb colours: 1 to 21. */
function contrastRatio(a: string, b: string): number {
  const luminance = (colour: string) =>
    [0.2126, 0.7152, 0.0722].reduce((sum, weight, index) => {
      const value = Number.parseInt(colour.slice(1 + 2 * index, 3 + 2 * index), 16) / 255;
      return sum + weight * (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    }, 0);
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

describe('the accent colour', () => {
  const colour = fc.integer({ min: 0, max: 0xffffff }).map((number) => `#${number.toString(16).padStart(6, '0')}`);

  test('gives words on it and words in it enough contrast, whatever it is (WCAG 1.4.3, 1.4.11)', () => {
    fc.assert(
      fc.property(colour, fc.constantFrom('light' as const, 'dark' as const), (accent, theme) => {
        const made = accentColours(accent, theme);
        const ratio = (a: string, b: string): number => contrastRatio(made[a] ?? a, made[b] ?? b);
        assert.equal(made['--accent'], accent);
        assert.ok(ratio('--on-accent', '--accent') >= 4.5);
        assert.ok(ratio('--on-accent', '--accent-strong') >= 4.5);
        for (const surface of [...SURFACES[theme], '--accent-wash']) assert.ok(ratio('--accent-ink', surface) >= 4.5);
        for (const surface of SURFACES[theme]) assert.ok(ratio('--accent-edge', surface) >= 3);
      }),
    );
  });

  test('is fitted to the surfaces that the style sheet has', () => {
    const [light, dark] = css.toString().split('prefers-color-scheme: dark', 2) as [string, string];
    for (const surface of SURFACES.light) assert.match(light, new RegExp(`--(bg|card): ${surface};`));
    for (const surface of SURFACES.dark) assert.match(dark, new RegExp(`--(bg|card): ${surface};`));
  });
});
