/**
 * What every template may call: words, dates, safe addresses. Made anew for each page, for its language.
 * Knows no page and no feature.
 */
import { LRUCache } from 'lru-cache';
import type { FieldError } from '../errors.ts';
import { ACCENT, textOn } from './accent.ts';
import { FORMATS, type I18n, type Locale, type Values } from './i18n.ts';

export interface Branding {
  name: string;
  /** A path, or an address under the issuer; our own logo when left out. */
  logo?: string | undefined;
  /** #rrggbb */
  accent?: string | undefined;
  links?: { terms?: string | undefined; privacy?: string | undefined; support?: string | undefined } | undefined;
}

export interface Moment {
  iso: string;
  /** Day and time with the zone's name. */
  text: string;
  day: string;
  /** "5 minutes ago" */
  ago: string;
}

/** What a page tells the layout around it. */
export interface Frame {
  title: string;
  frame: 'card' | 'account' | 'wide';
  /** Something has to be corrected: the title says so, as it is the first thing that is read aloud. */
  faulty: boolean;
  /** Scripts of our own that the page can do without, by their names as assets. */
  scripts: string[];
  /** Data for the frame, such as the account area's navigation. */
  around: object;
}

export const TOOL_NAMES = [
  't',
  'has',
  'page',
  'brand',
  'asset',
  'locale',
  'errorText',
  'errorsOf',
  'moment',
  'safeLink',
  'appLink',
  'greetable',
  'ownImage',
  'initial',
] as const;

export interface BrandOptions {
  branding: Branding;
  issuer: URL;
  assetUrl: (name: string) => string;
}

/** What pages say of whose they are: the same on each. */
export function brandOf({ branding, issuer, assetUrl }: BrandOptions) {
  const accent = branding.accent ?? ACCENT;
  return {
    name: branding.name,
    logo: imageUnder(issuer, branding.logo) ?? assetUrl('logo.svg'),
    links: branding.links ?? {},
    home: issuer.origin,
    host: issuer.host,
    accent,
    onAccent: textOn(accent),
  };
}

export interface ToolOptions {
  i18n: I18n;
  locale: Locale;
  brand: ReturnType<typeof brandOf>;
  issuer: URL;
  assetUrl: (name: string) => string;
  page: Frame;
  /** IANA name; UTC when unknown. */
  timeZone?: unknown;
}

export function createTools({ i18n, locale, brand, issuer, assetUrl, page, timeZone }: ToolOptions) {
  const t = (key: string, values?: Values): string => i18n.t(locale, key, values);
  const has = (key: string): boolean => i18n.has(locale, key);
  const ownImage = (address: unknown): string | null => imageUnder(issuer, address);

  return {
    t,
    has,
    page,
    locale,
    asset: assetUrl,
    ownImage,
    initial,
    safeLink,
    appLink,
    greetable,
    brand,

    /** The words for one fault; a code that has none is said in general words. */
    errorText(error: FieldError): string {
      const key = `error.${error.code}`;
      if (!has(key)) return t('error.invalid');
      try {
        return t(key, error.values);
      } catch {
        return t('error.invalid');
      }
    },

    errorsOf: (errors: readonly FieldError[] | null, field: string): FieldError[] =>
      (errors ?? []).filter((error) => error.field === field),

    moment: (instant: string | number | Date): Moment =>
      moment(new Date(instant), { locale, timeZone: knownZone(timeZone), now: t('time.now') }),
  } satisfies Record<(typeof TOOL_NAMES)[number], unknown>;
}

/** An address that a page may link to: the web, mail, or a path here. Others (`javascript:` and its kind) are null. */
function safeLink(address: unknown): string | null {
  if (typeof address !== 'string' || address === '') return null;
  if (/^\/(?![/\\])/.test(address)) return address;
  return /^(https?:\/\/|mailto:)/i.test(address) ? address : null;
}

/** The way back into an app: any scheme of its own, but none that browsers run or show as a page (RFC 8252 7.1). */
function appLink(address: unknown): string | null {
  const protocol = typeof address === 'string' ? URL.parse(address)?.protocol : undefined;
  const refused = ['javascript:', 'data:', 'vbscript:', 'file:', 'blob:', 'about:', 'view-source:', 'filesystem:'];
  return protocol && !refused.includes(protocol) ? String(address) : null;
}

/**
 * Whether a mail may greet with a name that somebody typed while registering: the mail goes to whatever address was
 * typed beside it, so words that look like an address or a message would make us somebody's messenger.
 */
function greetable(name: unknown): boolean {
  return (
    typeof name === 'string' && name.length <= 50 && /^\p{L}[\p{L}\p{M}'’-]*(\.? [\p{L}\p{M}'’-]+){0,4}$/u.test(name)
  );
}

/** Pages load nothing from other hosts (no tracking by an app's logo): only an address under the issuer is shown. */
function imageUnder(issuer: URL, address: unknown): string | null {
  if (typeof address !== 'string' || address === '') return null;
  const url = URL.parse(address, issuer.origin);
  if (url?.origin !== issuer.origin) return null;
  return url.pathname + url.search;
}

/** The first letter that a reader sees in a name, for a tile in place of a picture. */
function initial(name: unknown): string {
  const letter = /[\p{L}\p{N}]/u.exec(String(name ?? ''))?.[0];
  return (letter ?? '•').toLocaleUpperCase();
}

/** Formats by what they are made of; making one costs a fifth of a millisecond and more. Zones come from browsers. */
const FORMATTERS = { max: 200 };
const moments = new LRUCache<string, Moments>(FORMATTERS);
const zones = new LRUCache<string, string>(FORMATTERS);

function knownZone(zone: unknown): string {
  const asked = String(zone ?? 'UTC');
  const known = zones.get(asked);
  if (known) return known;
  const found = resolvedZone(asked);
  zones.set(asked, found);
  return found;
}

function resolvedZone(timeZone: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  } catch {
    return 'UTC';
  }
}

interface Moments {
  text: Intl.DateTimeFormat;
  day: Intl.DateTimeFormat;
  ago: Intl.RelativeTimeFormat;
}

function momentsIn(tag: string, timeZone: string): Moments {
  const key = `${tag} ${timeZone}`;
  const known = moments.get(key);
  if (known) return known;
  const parts = { day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit' } as const;
  const made = {
    text: new Intl.DateTimeFormat(tag, { ...parts, timeZone, timeZoneName: 'short' }),
    day: new Intl.DateTimeFormat(tag, { dateStyle: 'long', timeZone }),
    ago: new Intl.RelativeTimeFormat(tag, { numeric: 'auto' }),
  };
  moments.set(key, made);
  return made;
}

const UNITS = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['week', 7 * 86_400],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

function moment(date: Date, { locale, timeZone, now }: { locale: Locale; timeZone: string; now: string }): Moment {
  const tag = FORMATS[locale];
  const seconds = (date.getTime() - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ['minute', 60];
  const amount = Math.trunc(seconds / size);
  const { text, day, ago } = momentsIn(tag, timeZone);
  return {
    iso: date.toISOString(),
    // A page shows one of them or two, and each costs more than the rest.
    get text() {
      return text.format(date);
    },
    get day() {
      return day.format(date);
    },
    get ago() {
      return amount === 0 ? now : ago.format(amount, unit);
    },
  };
}
