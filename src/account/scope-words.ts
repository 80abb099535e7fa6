/** Scopes in a person's words. */
import type { I18n } from '../http/i18n.ts';

/** A scope in words; one that no catalogue knows (of a resource) by its name. */
export function scopeTitle(i18n: I18n, locale: string, scope: string): string {
  const key = `scope.${scope}.title`;
  const words = i18n.t(locale as never, key);
  return words === key ? scope : words;
}
