/** JSON for doors: what `JSON.parse` silently accepts and a caller can't have meant is refused. Knows no schema. */
import { AppError, type FieldError } from '../errors.ts';
import { isText } from './form-pairs.ts';

/** Far deeper than any body of ours, far less deep than what could exhaust a stack. */
const MAX_DEPTH = 16;

/** In valid JSON every bracket, comma and string outside of strings; nothing in it can backtrack. */
const TOKEN = /[{}[\],]|"[^"\\]*(?:\\.[^"\\]*)*"/g;

/** Names that mean something to JavaScript; no API of ours uses them. */
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);

interface Frame {
  /** The names so far, or undefined in a list. */
  names: Set<string> | undefined;
  /** The name or index that is being read. */
  at: string | number;
  expectsName: boolean;
}

/** @throws AppError invalid_request for broken JSON, doubled or reserved names, broken text and deep nesting. */
export function parseStrictJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new AppError('invalid_request', {
      message: `The body is no JSON: ${(error as Error).message}`,
      cause: error,
    });
  }
  const faults = findFaults(text);
  if (faults.length > 0) {
    const words = faults.map(({ field, code }) => `${field || 'the body'} (${code.replaceAll('_', ' ')})`);
    throw new AppError('invalid_request', { message: `Not accepted in JSON: ${words.join(', ')}.`, fields: faults });
  }
  return value;
}

function findFaults(text: string): FieldError[] {
  const faults: FieldError[] = [];
  const stack: Frame[] = [];
  const report = (code: string) => faults.push({ field: stack.map((frame) => frame.at).join('.'), code });
  for (const [token] of text.matchAll(TOKEN)) {
    const frame = stack.at(-1);
    if (token === '{' || token === '[') {
      if (stack.length === MAX_DEPTH) {
        report('invalid_format');
        throw new AppError('invalid_request', {
          message: `The JSON is nested more than ${MAX_DEPTH} levels deep.`,
          fields: faults,
        });
      }
      const names = token === '{' ? new Set<string>() : undefined;
      stack.push({ names, at: names ? '' : 0, expectsName: names !== undefined });
    } else if (token === '}' || token === ']') stack.pop();
    else if (token === ',') nextEntry(frame as Frame);
    else readString(JSON.parse(token), frame, report);
  }
  return faults;
}

function nextEntry(frame: Frame): void {
  if (frame.names) frame.expectsName = true;
  else frame.at = (frame.at as number) + 1;
}

function readString(value: string, frame: Frame | undefined, report: (code: string) => void): void {
  if (frame?.names && frame.expectsName) {
    frame.at = value;
    frame.expectsName = false;
    if (frame.names.has(value)) report('doubled');
    if (RESERVED.has(value)) report('unknown_field');
    frame.names.add(value);
  }
  if (!isText(value)) report('invalid_characters');
}
