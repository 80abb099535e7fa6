/** zod's issues as the rest of a sentence that begins with the member's name. */
import type { z } from 'zod';

const KINDS: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

/** For the `error` option of `safeParse`; messages of the schema itself come before it. */
export function parseWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is missing'
        : `is ${kindOf(issue.input)} instead of ${KINDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return issue.input === undefined ? 'is missing' : `is none of ${issue.values.join(', ')}`;
    case 'too_small':
      return sizeWords(issue.origin, 'less', 'shorter', 'fewer', issue.minimum);
    case 'too_big':
      return sizeWords(issue.origin, 'more', 'longer', 'more', issue.maximum);
    case 'invalid_format':
      return 'has the wrong form';
    default:
      return undefined;
  }
}

function sizeWords(origin: string, amount: string, length: string, count: string, limit: number | bigint): string {
  if (origin === 'string') return limit === 1 ? 'is empty' : `is ${length} than ${limit} characters`;
  if (origin === 'array') return limit === 1 && count === 'fewer' ? 'is empty' : `has ${count} than ${limit} entries`;
  return `is ${amount} than ${limit}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return KINDS['array'] as string;
  return KINDS[typeof value] ?? typeof value;
}
