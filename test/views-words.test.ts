/** The message catalogues, and which of them a request gets. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test, { describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { IntlMessageFormat } from 'intl-messageformat';
import { EVENT_TYPES } from '../src/audit/events.ts';
import { ERROR_STATUS } from '../src/errors.ts';
import type { Locale } from '../src/http/i18n.ts';
import { catalogues, i18n } from './support/views.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
function sources(folder: string, ending: string): Array<{ file: string; text: string }> {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => ({ file, text: readFileSync(path.join(root, folder, file), 'utf8') }));
}
const templates = sources('views', '.ejs');
// The API and the command line answer developers in words of their own.
const code = sources('src', '.ts').filter(({ file }) => !/^(api|cli|config)\//.test(file));

describe('the catalogues', () => {
  test('English and French have the same messages with the same values in them', () => {
    assert.deepEqual(Object.keys(catalogues.fr).sort(), Object.keys(catalogues.en).sort());
    for (const [key, message] of Object.entries(catalogues.en)) {
      assert.deepEqual(placeholders(catalogues.fr[key]!), placeholders(message), key);
    }
  });

  test('every message that a template asks for is there', () => {
    const asked = templates.flatMap(({ text }) => [...text.matchAll(/\bt\('([^']+)'(?! \+)/g)].map(([, key]) => key!));
    assert.ok(asked.length > 200);
    assert.deepEqual(
      asked.filter((key) => !(key in catalogues.en)),
      [],
    );
  });

  test('no message is left over', () => {
    const everything = [...templates, ...code, ...sources('src/api', '.ts')].map(({ text }) => text).join('\n');
    assert.deepEqual(
      Object.keys(catalogues.en).filter((key) => !isUsed(key, everything)),
      [],
    );
  });

  test('each code of the closed list of errors has words for a person', () => {
    for (const name of Object.keys(ERROR_STATUS)) {
      assert.ok(i18n.has('en', `problem.${name}.title`) && i18n.has('en', `problem.${name}.text`), name);
    }
  });

  test('each fault that the code gives to a field has words', () => {
    // Also one of two: `code: late ? 'code_late' : 'code_wrong'`.
    const faults = /\bfield: [^,{}]+, code: ([^,}]+)/g;
    const given = code
      .flatMap(({ text }) => [...text.matchAll(faults)].map(([, chosen]) => chosen!))
      .flatMap((chosen) => [...chosen.matchAll(/'([a-z_]+)'/g)].map(([, name]) => name!));
    assert.ok(given.length > 5);
    for (const name of given) assert.ok(i18n.has('en', `error.${name}`), `error.${name}`);
  });

  test('French keeps its signs on the line of their word', () => {
    const loose = Object.entries(catalogues.fr).filter(([, message]) => /[^\s,{}] [;:!?»]/.test(message));
    assert.deepEqual(loose, []);
  });

  test('apostrophes are typographic: a straight one would quote a value in ICU messages', () => {
    for (const catalogue of [catalogues.en, catalogues.fr]) {
      assert.deepEqual(
        Object.entries(catalogue).filter(([, message]) => message.includes("'")),
        [],
      );
    }
  });
});

describe('a message', () => {
  test('has its values filled in, in the forms of its language', () => {
    assert.equal(i18n.t('en', 'overview.sessions', { count: 1 }), '1 session');
    assert.equal(i18n.t('en', 'overview.sessions', { count: 0 }), 'No sessions');
    // French counts nought as singular, but says "aucune".
    assert.equal(i18n.t('fr', 'overview.sessions', { count: 0 }), 'Aucune session');
    assert.equal(
      i18n.t('fr', 'error.code_wrong', { left: 2 }),
      'Ce n’est pas le dernier code envoyé. Il vous reste 2 essais.',
    );
  });

  test('does not read braces or signs in a value as its own', () => {
    assert.equal(i18n.t('en', 'app.back', { app: "{x} '<b>' #" }), "Back to {x} '<b>' #");
  });

  test('that is missing is shown as its key', () => {
    assert.equal(i18n.t('en', 'no.such.key'), 'no.such.key');
    assert.equal(i18n.has('en', 'toString'), false);
  });
});

describe('the language of a page', () => {
  const cases: Array<[string | undefined, string | undefined, Locale]> = [
    [undefined, undefined, 'en'],
    ['fr', 'en', 'fr'],
    ['de fr-CA en', undefined, 'fr'],
    [undefined, 'de, fr;q=0.8, en;q=0.9', 'en'],
    [undefined, 'fr-CH, en;q=0.9', 'fr'],
    [undefined, 'fr;q=0, en', 'en'],
    ['xx', 'FR', 'fr'],
    ['', '*;q=nonsense,,;', 'en'],
    [undefined, `${'a,'.repeat(100_000)}fr`, 'en'],
  ];
  for (const [uiLocales, acceptLanguage, wanted] of cases) {
    test(`ui_locales ${uiLocales} with Accept-Language ${acceptLanguage?.slice(0, 30)} gives ${wanted}`, () => {
      assert.equal(i18n.negotiate({ uiLocales, acceptLanguage }), wanted);
    });
  }
});

function placeholders(message: string): string[] {
  const names = new Set<string>();
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (typeof value === 'object' && value !== null) {
      const { type, value: name } = value as { type?: number; value?: unknown };
      // Type 0 is literal text and 7 the plural's own number; the rest are arguments.
      if (typeof name === 'string' && type !== 0 && type !== 7) names.add(name);
      Object.values(value).forEach(walk);
    }
  };
  walk(new IntlMessageFormat(message, 'en', undefined, { ignoreTag: true }).getAst());
  return [...names].sort();
}

/** Keys are also put together while rendering: by an error's code, a scope, a notice, a mail's name. */
const EVENT_WORDS = Object.fromEntries(EVENT_TYPES.map((type) => [type, true]));

function isUsed(key: string, everything: string): boolean {
  const [family, name] = key.split('.') as [string, string];
  const quoted = new RegExp(`['"\`=]${name}['"\`]`).test(everything);
  if (everything.includes(`'${key}'`)) return true;
  if (family === 'scope') return everything.includes('`scope.$');
  // An event of the record by its type, or its reason, which stands in the code that records it.
  if (family === 'event') return key.slice('event.'.length) in EVENT_WORDS;
  if (family === 'event-reason') return quoted;
  if (family === 'mail')
    return key.endsWith('.subject') && templates.some(({ file }) => file === `mail/${name}.html.ejs`);
  if (['notice', 'factor', 'protect', 'strength', 'strength-why', 'way'].includes(family))
    return quoted || everything.includes(`'${key}'`);
  // Codes of the closed list, of the HTTP layer (`invalid_` and zod's kind of format), and of OAuth.
  if (family === 'error') return quoted || name in ERROR_STATUS || ['invalid_email', 'invalid_url'].includes(name);
  const oauth = ['invalid_client', 'invalid_redirect_uri', 'access_denied'];
  return family === 'problem' && (name in ERROR_STATUS || name.startsWith('status-') || oauth.includes(name));
}
