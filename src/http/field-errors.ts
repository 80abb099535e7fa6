/** Zod's issues as field errors with codes of the message catalogue (`error.<code>`). Knows no schema. */
import type { z } from 'zod';
import type { FieldError } from '../errors.ts';

/** A schema gives a code of its own by writing it where zod expects a message: `z.string().min(8, 'too_weak')`. */
const OWN_CODE = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/;

/**
 * `required`, `invalid_type {expected}`, `too_short {min}`, `too_long {max}` (text), `too_few {min}`, `too_many {max}`
 * (lists), `too_small {min}`, `too_big {max}` (numbers), `invalid_email`, `invalid_url`, `invalid_format`,
 * `invalid_choice {choices}`, `unknown_field`, `invalid`, or the schema's own.
 */
export function fieldErrors(issues: readonly z.core.$ZodIssue[], input: unknown): FieldError[] {
  return issues.flatMap((issue) => {
    const field = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknown(field, key));
    const fault = describe(issue, valueAt(input, issue.path));
    return OWN_CODE.test(issue.message) ? { ...fault, field, code: issue.message } : { field, ...fault };
  });
}

function unknown(parent: string, key: string): FieldError {
  return { field: parent ? `${parent}.${key}` : key, code: 'unknown_field' };
}

function describe(issue: z.core.$ZodIssue, value: unknown): Omit<FieldError, 'field'> {
  if (value === undefined) return { code: 'required' };
  switch (issue.code) {
    case 'invalid_type':
      return { code: 'invalid_type', values: { expected: issue.expected } };
    case 'too_small':
      if (value === '') return { code: 'required', values: { min: Number(issue.minimum) } };
      return { code: tooLittle(issue.origin), values: { min: Number(issue.minimum) } };
    case 'too_big':
      return { code: tooMuch(issue.origin), values: { max: Number(issue.maximum) } };
    case 'invalid_format':
      if (value === '') return { code: 'required' };
      return { code: ['email', 'url'].includes(issue.format) ? `invalid_${issue.format}` : 'invalid_format' };
    case 'invalid_value':
      return { code: 'invalid_choice', values: { choices: issue.values.map(String).join(', ') } };
    default:
      return { code: 'invalid' };
  }
}

function tooLittle(origin: string): string {
  if (origin === 'string') return 'too_short';
  return origin === 'array' || origin === 'set' ? 'too_few' : 'too_small';
}

function tooMuch(origin: string): string {
  if (origin === 'string') return 'too_long';
  return origin === 'array' || origin === 'set' ? 'too_many' : 'too_big';
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}
