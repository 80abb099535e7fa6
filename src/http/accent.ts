/**
 * From one brand colour to the few that the pages need, each readable where it is used (WCAG 2.2, 1.4.3 and 1.4.11).
 * The surfaces are those of views/assets/style.css; a test keeps them equal.
 */
export const SURFACES = { light: ['#ffffff', '#f6f4ef'], dark: ['#201e1b', '#151412'] } as const;

/** Our own, when branding names none. */
export const ACCENT = '#0b6b5d';

type Rgb = readonly [number, number, number];

export type Theme = keyof typeof SURFACES;

/** The colours of one theme, as CSS custom properties. @throws Error when the accent is not of the form #rrggbb */
export function accentColours(accent: string, theme: Theme): Record<string, string> {
  const base = parse(accent);
  const onAccent = parse(textOn(accent));
  const towards = theme === 'light' ? BLACK : WHITE;
  const surfaces = SURFACES[theme].map(parse);
  const edge = readable(base, surfaces, towards, 3);
  const wash = mix(surfaces[0]!, edge, theme === 'light' ? 0.1 : 0.2);
  return {
    '--accent': hex(base),
    '--on-accent': hex(onAccent),
    '--accent-strong': hex(mix(base, textOn(accent) === '#ffffff' ? BLACK : WHITE, 0.14)),
    '--accent-ink': hex(readable(base, [...surfaces, wash], towards, 5)),
    '--accent-edge': hex(edge),
    '--accent-wash': hex(wash),
  };
}

/** The style of a brand's accent, for light and dark; needs no escaping in HTML. */
export function accentCss(accent: string): string {
  const rule = (theme: Theme): string => {
    const colours = Object.entries(accentColours(accent, theme));
    return `:root{${colours.map(([name, value]) => `${name}:${value}`).join(';')}}`;
  };
  return `${rule('light')}@media (prefers-color-scheme:dark){${rule('dark')}}`;
}

/** Black or white, whichever reads better on a colour (#rrggbb); that is never less than 4.5 to 1. */
export function textOn(background: string): string {
  const colour = parse(background);
  return hex(contrast(colour, BLACK) > contrast(colour, WHITE) ? BLACK : WHITE);
}

const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/** The colour nearest to `base` on the way to black or white that has `ratio` against every surface. */
function readable(base: Rgb, surfaces: readonly Rgb[], towards: Rgb, ratio: number): Rgb {
  for (let share = 0; share < 1; share += 0.02) {
    const colour = mix(base, towards, share);
    if (surfaces.every((surface) => contrast(colour, surface) >= ratio)) return colour;
  }
  return towards;
}

function contrast(a: Rgb, b: Rgb): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map((channel) => {
    const value = channel / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function mix(a: Rgb, b: Rgb, share: number): Rgb {
  const channel = (i: 0 | 1 | 2): number => Math.round(a[i] + (b[i] - a[i]) * share);
  return [channel(0), channel(1), channel(2)];
}

function parse(colour: string): Rgb {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (!match) throw new Error(`"${colour}" is not a colour of the form #rrggbb.`);
  return [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16), Number.parseInt(match[3]!, 16)];
}

function hex(colour: Rgb): string {
  return `#${colour.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
}
