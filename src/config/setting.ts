/** How one setting is declared: a reader for its text, a default, and the words that describe it. */
import { z } from 'zod';
import { Refused } from './fault.ts';
import { duration, whole } from './values.ts';

export interface About {
  description: string;
  /** What a good value is, shown beside a fault. */
  expected: string;
  example: string;
  /** Words for a default that depends on other settings. */
  otherwise?: string;
  /** May come from a file named by `<NAME>_FILE`; its value is never shown. */
  secret?: boolean;
}

export type Setting<Value> = z.ZodType<Value, string | undefined>;

export const about = z.registry<About & { default?: string | undefined }>();

/** A setting with a default, given as the text that a person would write. */
export function setting<Value>(read: (value: string) => Value, preset: string, words: About): Setting<Value> {
  return reader(read)
    .prefault(preset)
    .register(about, { ...words, default: preset });
}

export function optional<Value>(read: (value: string) => Value, words: About): Setting<Value | undefined> {
  return reader(read).optional().register(about, words);
}

function reader<Value>(read: (value: string) => Value) {
  return z.string().transform((value, context) => {
    try {
      return read(value);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      context.issues.push({ code: 'custom', message: error.message, input: value });
      return z.NEVER;
    }
  });
}

const span = (min: string, max: string) => `a time span from ${min} to ${max}: 90s, 15m, 12h, 7d`;
export const lifetime = (preset: string, min: string, max: string, description: string): Setting<number> =>
  setting(duration(min, max), preset, { description, expected: span(min, max), example: preset });
export const count = (preset: string, min: number, max: number, description: string): Setting<number> =>
  setting(whole(min, max), preset, { description, expected: `a number from ${min} to ${max}`, example: preset });
export const anyOf = (values: readonly string[]): string => `one of ${values.join(', ')}`;
