/**
 * Shows every page and mail with sample data: `node bin/node.js test/support/preview.ts [PORT]`, then open the address.
 * Options in the address: `?lang=fr`, `?accent=ff5500`. Templates are read anew at each request.
 */
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Koa from 'koa';
import { createAssets } from '../../src/http/assets.ts';
import { createI18n, type Locale, readCatalogues } from '../../src/http/i18n.ts';
import { createRenderer } from '../../src/http/render.ts';
import { packageAssets } from '../../src/places.ts';
import { MAILS, PAGES } from './pages.ts';

const viewsDir = fileURLToPath(new URL('../../views', import.meta.url));
const NONCE = 'preview';
const links = {
  terms: 'https://example.org/terms',
  privacy: 'https://example.org/privacy',
  support: 'mailto:help@example.org',
};
/** As strict as the real one, so that what it forbids is seen missing here. */
const POLICY = `default-src 'none'; style-src 'self' 'nonce-${NONCE}'; script-src 'self' 'nonce-${NONCE}'; connect-src 'self'; img-src 'self' data:; frame-src 'self'; base-uri 'none'`;

function load(accent: string | undefined) {
  const assets = createAssets(path.join(viewsDir, 'assets'), packageAssets);
  const branding = { name: 'Latchkey', links, ...(accent ? { accent: `#${accent}` } : {}) };
  const i18n = createI18n({ catalogues: readCatalogues(viewsDir) });
  const common = { viewsDir, i18n, issuer: 'http://localhost:3000', development: true };
  return { assets, views: createRenderer({ ...common, branding, assetUrl: assets.url }) };
}

/** A server of all samples on 127.0.0.1; the caller closes it. `fresh`: reads the templates anew at each request. */
export async function startPreview({ port = 0, fresh = false } = {}): Promise<{ url: string; close(): Promise<void> }> {
  const app = new Koa();
  const loaded = new Map<string | undefined, ReturnType<typeof load>>();
  const get = (accent?: string) => {
    if (fresh || !loaded.has(accent)) loaded.set(accent, load(accent));
    return loaded.get(accent)!;
  };
  app.use((ctx, next) => get().assets.middleware(ctx, next));
  app.use((ctx) => {
    const locale: Locale = ctx.query['lang'] === 'fr' ? 'fr' : 'en';
    const { views } = get(typeof ctx.query['accent'] === 'string' ? ctx.query['accent'] : undefined);
    // The frame on the page of one mail.
    const [, kind, id] = (ctx.path.startsWith('/dev/mail/') ? '/mail/verify' : ctx.path).split('/');
    const sample = (kind === 'mail' || kind === 'text' ? MAILS : PAGES).find((one) => one.id === id);
    ctx.type = 'html';
    if (kind !== 'mail') ctx.set('Content-Security-Policy', POLICY);
    if (!sample) {
      const list = (of: string, ids: string[]) =>
        ids.map((one) => `<li><a href="/${of}/${one}">${of} ${one}</a>`).join('');
      ctx.body = `<ul>${list(
        'page',
        PAGES.map((one) => one.id),
      )}${list(
        'mail',
        MAILS.map((one) => one.id),
      )}</ul>`;
    } else if (kind === 'mail') ctx.body = views.mail(locale, sample.template, sample.data).html;
    else if (kind === 'text') {
      const { subject, text } = views.mail(locale, sample.template, sample.data);
      ctx.type = 'text';
      ctx.body = `${subject}\n\n${text}`;
    } else ctx.body = views.html(locale, sample.template, sample.data, { nonce: NONCE });
  });
  const server = http.createServer(app.callback());
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  const address = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

if (import.meta.main) {
  const { url } = await startPreview({ port: Number(process.argv[2] ?? 3456), fresh: true });
  process.stdout.write(`${url}\n`);
}
