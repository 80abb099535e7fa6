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
import { MAILS, PAGES } from './pages.ts';

const viewsDir = fileURLToPath(new URL('../../views', import.meta.url));
const NONCE = 'preview';
/** As strict as the real one, so that what it forbids is seen missing here. */
const POLICY = `default-src 'none'; style-src 'self' 'nonce-${NONCE}'; img-src 'self' data:; frame-src 'self'; base-uri 'none'`;

function renderer(accent?: string) {
  const assets = createAssets(path.join(viewsDir, 'assets'));
  const links = {
    terms: 'https://example.org/terms',
    privacy: 'https://example.org/privacy',
    support: 'mailto:help@example.org',
  };
  const branding = { name: 'Latchkey', links, ...(accent ? { accent: `#${accent}` } : {}) };
  const i18n = createI18n({ catalogues: readCatalogues(viewsDir) });
  return createRenderer({
    viewsDir,
    i18n,
    branding,
    issuer: 'http://localhost:3000',
    development: true,
    assetUrl: assets.url,
  });
}

/** A server of all samples on 127.0.0.1; the caller closes it. */
export async function startPreview(port = 0): Promise<{ url: string; close(): Promise<void> }> {
  const app = new Koa();
  app.use((ctx, next) => createAssets(path.join(viewsDir, 'assets')).middleware(ctx, next));
  app.use((ctx) => {
    const locale: Locale = ctx.query['lang'] === 'fr' ? 'fr' : 'en';
    const views = renderer(typeof ctx.query['accent'] === 'string' ? ctx.query['accent'] : undefined);
    const [, kind, id] = ctx.path.split('/');
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
  const { url } = await startPreview(Number(process.argv[2] ?? 3456));
  process.stdout.write(`${url}\n`);
}
