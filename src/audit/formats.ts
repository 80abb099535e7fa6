/** Entries as lines of a file. They carry strangers' words, which neither a terminal nor a spreadsheet may obey. */
import type { AuditEntry } from './events.ts';

const COLUMNS = [
  'id',
  'seq',
  'at',
  'type',
  'outcome',
  'account_id',
  'client_id',
  'session_id',
  'via',
  'ip',
  'user_agent',
  'request_id',
  'details',
] as const;
/** C0, C1, and what turns the direction of text or hides in it. */
const UNSAFE = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;
/** What a spreadsheet takes for a formula (OWASP, CSV injection). */
const FORMULA = /^[=+\-@\uff1d\uff0b\uff0d\uff20]/;

export const FORMATS = ['jsonl', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

export function headingOf(format: Format): string {
  return format === 'csv' ? COLUMNS.join(',') : '';
}

export function lineOf(format: Format, entry: AuditEntry): string {
  return format === 'csv' ? COLUMNS.map((column) => cell(entry[column])).join(',') : spelled(JSON.stringify(entry));
}

/** RFC 4180, always quoted. */
function cell(value: unknown): string {
  if (value === null || value === undefined) return '""';
  const text = spelled(typeof value === 'object' ? JSON.stringify(value) : String(value));
  return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

function spelled(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(UNSAFE, (character) => `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`);
}
