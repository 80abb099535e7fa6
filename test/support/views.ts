/** The real templates and catalogues, rendered without a server. */
import { fileURLToPath } from 'node:url';
import { createI18n, readCatalogues } from '../../src/http/i18n.ts';
import type { Branding } from '../../src/http/page-tools.ts';
import { createRenderer, type Renderer } from '../../src/http/render.ts';

export const viewsDir = fileURLToPath(new URL('../../views', import.meta.url));
export const catalogues = readCatalogues(viewsDir);
export const i18n = createI18n({ catalogues });

export function rendererFor(branding: Branding, assetUrl?: (name: string) => string): Renderer {
  const issuer = 'http://localhost:3000';
  return createRenderer({ viewsDir, i18n, branding, issuer, development: false, ...(assetUrl ? { assetUrl } : {}) });
}

export const renderer = rendererFor({ name: 'Latchkey' });
