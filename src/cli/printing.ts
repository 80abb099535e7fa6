/** How data looks on a terminal. What is printed came from strangers: control characters never reach the terminal. */

/** C0, C1 and what turns the direction of text or hides in it (Unicode UAX 9), by which a line can be forged. */
const UNSAFE = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

const spelled = (character: string) => `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`;

/** One line, with control characters spelled out. */
export function safe(text: string): string {
  return text.toWellFormed().replaceAll(UNSAFE, spelled);
}

/** Several lines of our own that carry strangers' words; only the line breaks stay. */
export function safeLines(text: string): string {
  return text.split('\n').map(safe).join('\n');
}

/** Indented JSON; still JSON of the same value with what `safe` spells out. */
export function json(value: unknown): string {
  return safeLines(JSON.stringify(value, null, 2));
}

/** Rows under headings, columns as wide as their widest cell. */
export function table(headings: string[], rows: string[][]): string {
  const lines = [headings, ...rows.map((row) => row.map(safe))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ''))));
  return lines
    .map((line) =>
      line
        .map((cell, column) => padded(cell, widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A name and its value a line; what is null or undefined is left out, lists get a line for each value. */
export function facts(entries: Array<[name: string, value: unknown]>): string {
  const present = entries.flatMap(([name, value]) => {
    if (value === null || value === undefined) return [];
    if (!Array.isArray(value)) return [[name, shown(value)] as const];
    return (value.length === 0 ? ['(none)'] : value.map(shown)).map(
      (each, index) => [index === 0 ? name : '', each] as const,
    );
  });
  const column = Math.max(0, ...present.map(([name]) => width(name)));
  return present.map(([name, value]) => `${padded(name, column)}  ${safe(value)}`.trimEnd()).join('\n');
}

/** `2026-11-02 08:12` in UTC. */
export function minute(time: string | number | null): string {
  return time === null ? '-' : `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')}`;
}

function shown(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function width(text: string): number {
  return [...text].length;
}

function padded(text: string, to: number): string {
  return text + ' '.repeat(Math.max(0, to - width(text)));
}
