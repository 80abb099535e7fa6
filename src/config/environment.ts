/** From the environment, `.env` and `…_FILE` to the text of each setting, and from there to values. */
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type { z } from 'zod';
import type { Fault } from './fault.ts';
import { type About, about } from './setting.ts';
import { closest } from './spelling.ts';
import { quoted } from './values.ts';
import { Variables } from './variables.ts';

export type Environment = Record<string, string | undefined>;
/** Text of a file; throws as `readFileSync` does. */
export type ReadFile = (path: string) => string;

interface Source {
  env: Environment;
  cwd: string;
  readFile: ReadFile;
}

type Name = keyof typeof Variables.shape;
const names = Object.keys(Variables.shape) as Name[];
const aboutOf = (name: Name): About => about.get(Variables.shape[name]) as About;

/** Adds what `.env` says to the process's own environment, which wins, even by an empty value. */
export function mergeEnvironment({ env: own, cwd, readFile }: Source): { env: Environment; faults: Fault[] } {
  const set = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  const path = resolve(cwd, '.env');
  try {
    return { env: { ...parseEnv(readFile(path)), ...set }, faults: [] };
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { env: set, faults: absent ? [] : [{ name: path, problem: `can't be read (${reason(error)})` }] };
  }
}

/** Values of all settings. One that can't be read has its default beside its fault, so that checking can go on. */
export function readVariables(source: Source): { values: z.output<typeof Variables>; faults: Fault[] } {
  const faults: Fault[] = [];
  const texts: Record<string, string> = {};
  const places: Record<string, string> = {};
  for (const name of names) {
    const found = aboutOf(name).secret ? secretText(name, source, faults) : { text: source.env[name], place: name };
    const text = found.text?.trim();
    if (text) Object.assign(texts, { [name]: text });
    places[name] = found.place;
  }
  const first = Variables.safeParse(texts);
  if (first.success) return { values: first.data, faults };
  for (const issue of first.error.issues) {
    const name = issue.path[0] as Name;
    const { secret, expected, example } = aboutOf(name);
    const shown = secret ? places[name] : `${name} (${quoted(texts[name] as string)})`;
    faults.push({ name: shown as string, problem: issue.message, expected, example: `${name}=${example}` });
    delete texts[name];
  }
  return { values: Variables.parse(texts), faults };
}

function secretText(name: Name, { env, cwd, readFile }: Source, faults: Fault[]): { text?: string; place: string } {
  const direct = env[name]?.trim();
  const path = env[`${name}_FILE`]?.trim();
  if (!path) return { text: direct ?? '', place: name };
  const place = `${name}_FILE (${quoted(path)})`;
  if (direct) {
    faults.push({ name, problem: `is set twice, here and as ${name}_FILE`, expected: 'one of the two' });
    return { place: name };
  }
  try {
    const text = readFile(resolve(cwd, path)).trim();
    if (text === '') faults.push({ name: place, problem: 'is an empty file', expected: aboutOf(name).expected });
    return { text, place: `The content of ${place}` };
  } catch (error) {
    faults.push({ name: place, problem: `can't be read (${reason(error)})`, expected: 'the path of a readable file' });
    return { place };
  }
}

/** Warnings about `LATCHKEY_` names that nothing reads. */
export function unknownNames(env: Environment): string[] {
  const known = [...names, ...names.filter((name) => aboutOf(name).secret).map((name) => `${name}_FILE`)];
  return Object.keys(env)
    .filter((name) => name.startsWith('LATCHKEY_') && env[name]?.trim() && !known.includes(name))
    .map((name) => {
      const plain = name.replace(/_FILE$/, '');
      if (known.includes(plain)) return `${name} does nothing: ${plain} is no secret and can't come from a file.`;
      const meant = closest(name, known);
      return `${name} does nothing: there is no such setting.${meant ? ` Did you mean ${meant}?` : ''}`;
    });
}

/** Why a file can't be read, without its path. */
export function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const words: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'this user may not read it',
    EISDIR: 'it is a folder',
  };
  return (code && words[code]) ?? code ?? message;
}
