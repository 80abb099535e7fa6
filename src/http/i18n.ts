/**
 * Words in the reader's language: which language a request gets, and the message catalogues (ICU MessageFormat).
 * Knows nothing of pages or requests: it is given strings and gives strings.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { IntlMessageFormat } from 'intl-messageformat';

export const LOCALES = ['en', 'fr'] as const;
export type Locale = (typeof LOCALES)[number];
export type Catalogue = Readonly<Record<string, string>>;
export type Values = Readonly<Record<string, string | number>>;

/** The tags that dates, numbers and plurals are formatted with: British day order, 24 hours. */
export const FORMATS: Readonly<Record<Locale, string>> = { en: 'en-GB', fr: 'fr-FR' };

export interface I18n {
  readonly locales: readonly Locale[];
  negotiate(wanted: { uiLocales?: string | undefined; acceptLanguage?: string | undefined }): Locale;
  has(locale: Locale, key: string): boolean;
  t(locale: Locale, key: string, values?: Values): string;
}

/** Reads `<viewsDir>/messages/<locale>.json`; throws when one is missing or is not JSON. */
export function readCatalogues(viewsDir: string): Record<Locale, Catalogue> {
  const read = (locale: Locale): Catalogue =>
    JSON.parse(readFileSync(path.join(viewsDir, 'messages', `${locale}.json`), 'utf8'));
  return { en: read('en'), fr: read('fr') };
}

export function createI18n({ catalogues }: { catalogues: Record<Locale, Catalogue> }): I18n {
  const compiled = new Map<string, IntlMessageFormat>();

  function has(locale: Locale, key: string): boolean {
    return Object.hasOwn(catalogues[locale], key);
  }

  function message(locale: Locale, key: string): IntlMessageFormat {
    const id = `${locale} ${key}`;
    let format = compiled.get(id);
    if (!format) {
      format = new IntlMessageFormat(catalogues[locale][key] ?? key, FORMATS[locale], undefined, { ignoreTag: true });
      compiled.set(id, format);
    }
    return format;
  }

  return {
    locales: LOCALES,
    has,

    /** OpenID Connect Core 3.1.2.1 `ui_locales` first, then RFC 9110 12.5.4 `Accept-Language`, then English. */
    negotiate({ uiLocales, acceptLanguage }) {
      const wanted = [...(uiLocales ?? '').split(/\s+/), ...byPreference(acceptLanguage ?? '')];
      for (const tag of wanted) {
        const language = tag.split('-', 1)[0]?.toLowerCase();
        const found = LOCALES.find((locale) => locale === language);
        if (found) return found;
      }
      return 'en';
    },

    /**
     * A message with its values filled in; plain text, so the caller escapes it for where it goes.
     * A key that the catalogue lacks is an error of ours (a test finds it) and is shown as it is, never a failed page.
     * @throws FormatError when a value that the message names is missing
     */
    t(locale, key, values = {}) {
      if (!has(locale, key)) return key;
      return String(message(locale, key).format(values));
    },
  };
}

/** The language ranges of an Accept-Language header, best first; what has q=0 or makes no sense is left out. */
function byPreference(header: string): string[] {
  return header
    .slice(0, 500)
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.split(';').map((word) => word.trim());
      const q = parameters.find((parameter) => /^q=/i.test(parameter))?.slice(2);
      return { tag, q: q === undefined ? 1 : Number(q) };
    })
    .filter(({ tag, q }) => tag !== '' && q > 0)
    .sort((a, b) => b.q - a.q)
    .map(({ tag }) => tag);
}
