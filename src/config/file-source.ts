/** The text of a YAML file as a value, and faults of the value with the line and path where they are. */
import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import type { MemberFault } from './client-rules.ts';
import { ConfigError, type Fault } from './fault.ts';
import { ConfigSchema } from './file-schema.ts';
import { closest } from './spelling.ts';
import { quoted } from './values.ts';

type Path = readonly PropertyKey[];

/** @throws ConfigError when the text is no YAML. */
export function parseSource(file: string, text: string) {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`;
  const invalid = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    name: at(pos[0]),
    problem: `is no valid YAML: ${message.replace(/\.$/, '')}`,
  }));
  if (invalid.length > 0) throw new ConfigError(invalid);
  const where = (path: Path) => `${at(offsetOf(document, path))} ${pathText(path)}`.trimEnd();
  return {
    value: expanded(document, file),
    where,
    /** In the order of the file. */
    faults: (issues: z.core.$ZodIssue[]): Fault[] =>
      issues
        .flatMap(single)
        .sort((left, right) => offsetOf(document, left.path) - offsetOf(document, right.path))
        .map(({ path, problem, known }) => ({
          name: where(path) + (known ? shown(document.getIn(path), path) : ''),
          problem,
        })),
  };
}

function expanded(document: Document, file: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    throw new ConfigError([{ name: file, problem: `can't be expanded (${(error as Error).message})` }]);
  }
}

export function asIssue({ path, problem }: MemberFault): z.core.$ZodIssue {
  return { code: 'custom', path, message: problem, input: undefined };
}

/** Where the member is, or the nearest one around it that exists. */
function offsetOf(document: Document, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const last = path[length - 1];
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const pair = isMap(parent) ? parent.items.find(({ key }) => String(key) === String(last)) : undefined;
    const node = isNode(pair?.key) ? pair.key : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}

function pathText(path: Path): string {
  return path
    .map((each) => (typeof each === 'number' ? `[${each}]` : `.${String(each)}`))
    .join('')
    .replace(/^\./, '');
}

/** The value as it was written, unless it is or may be a secret. */
function shown(value: unknown, path: Path): string {
  const secret = path.some((each) => /secret|jwks/.test(String(each)));
  return typeof value === 'string' && !secret ? ` (${quoted(value)})` : '';
}

/** One fault for each unknown member; of a choice, the faults of the form that was meant. */
function single(issue: z.core.$ZodIssue): Array<{ path: PropertyKey[]; problem: string; known: boolean }> {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], problem: `is not known${meant(key)}`, known: false }));
  }
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    const otherKind = (each: z.core.$ZodIssue) => each.path.length === 0 && each.code === 'invalid_type';
    const option = issue.errors.find((issues) => !issues.some(otherKind)) ?? issue.errors[0] ?? [];
    return option.flatMap((each) => single({ ...each, path: [...path, ...each.path] }));
  }
  return [{ path, problem: issue.message, known: true }];
}

function meant(key: string): string {
  const name = closest(key, [...memberNames(z.toJSONSchema(ConfigSchema, { io: 'input' }))]);
  return name ? `; did you mean ${name}?` : '';
}

/** Names of all members, wherever they belong. */
function memberNames(schema: unknown): Set<string> {
  if (typeof schema !== 'object' || schema === null) return new Set();
  const { properties } = schema as { properties?: object };
  return new Set([
    ...Object.keys(properties ?? {}),
    ...Object.values(schema).flatMap((part) => [...memberNames(part)]),
  ]);
}
