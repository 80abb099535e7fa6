/** The description of the account API, for machines at /openapi.json and for people at /docs. Both are public. */
import { createHash } from 'node:crypto';
import type Router from '@koa/router';
import type { Context } from 'koa';
import type { Renderer } from '../http/render.ts';
import { type DocsPage, docsPage } from './docs.ts';
import type { OpenApi } from './openapi.ts';

export interface ApiDocsDeps {
  document(): Promise<OpenApi>;
  renderer: Pick<Renderer, 'page'>;
}

/** Mounts `GET /openapi.json`; errors there are the API's. */
export function mountOpenApi(router: Router, document: ApiDocsDeps['document']): void {
  let ready: { text: string; etag: string } | undefined;

  async function made(): Promise<{ text: string; etag: string }> {
    const text = JSON.stringify(await document());
    // Weak, because compressed or not it is the same description.
    return { text, etag: `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` };
  }

  router.get('/openapi.json', async (ctx: Context) => {
    ready ??= await made();
    const { text, etag } = ready;
    // Metadata that is the same for everybody may be read by any page (SECURITY P23).
    ctx.set({ 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'public, max-age=300', ETag: etag });
    ctx.status = 200;
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    ctx.type = 'application/json; charset=utf-8';
    ctx.body = text;
  });
}

/** Mounts the page `GET /docs`; errors there are a page's. */
export function mountDocsPage(router: Router, { document, renderer }: ApiDocsDeps): void {
  let data: DocsPage | undefined;

  router.get('/docs', async (ctx: Context) => {
    data ??= docsPage(await document());
    ctx.set('Cache-Control', 'no-store');
    ctx.state['compress'] = true;
    renderer.page(ctx, 'docs', data);
  });
}
