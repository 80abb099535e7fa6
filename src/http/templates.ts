/**
 * EJS templates of one folder, all read and checked at start, each compiled at its first use: rendering reads no file.
 * Knows no page.
 *
 * The first line of a template names its data, so that a forgotten value is a loud error instead of an empty page:
 * `<%# action, csrf, notice? %>` (a question mark: may be left out, and is then null). `include(name, data)` gives
 * a part its own data and nothing of the page around it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ejs from 'ejs';

export type Include = (name: string, data?: object) => string;
/** What every template may use beside its own data. */
export type Tools = Readonly<Record<string, unknown>>;

export interface Templates {
  names(): string[];
  /** @throws Error when there is no such template or a value that its first line names is missing */
  render(name: string, data: object, tools: Tools, body?: string): string;
}

interface Template {
  run: (locals: object) => string;
  needs: string[];
  may: string[];
}

export function createTemplates(dir: string, { toolNames }: { toolNames: readonly string[] }): Templates {
  const templates = new Map<string, Template>();
  for (const entry of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    if (!entry.endsWith('.ejs')) continue;
    const name = entry.slice(0, -'.ejs'.length).replaceAll(path.sep, '/');
    templates.set(name, read(path.join(dir, entry), name, toolNames));
  }

  function render(name: string, data: object, tools: Tools, body?: string): string {
    const template = templates.get(name);
    if (!template) throw new Error(`There is no template "${name}" in ${dir}.`);
    const given = data as Record<string, unknown>;
    const locals: Record<string, unknown> = { ...tools };
    for (const key of template.needs) {
      if (given[key] === undefined) throw new Error(`The template "${name}" was not given "${key}".`);
      locals[key] = given[key];
    }
    for (const key of template.may) locals[key] = given[key] ?? null;
    locals['include'] = ((part, partData = {}) => {
      if (part === 'body' && body !== undefined) return body;
      // The line break at the end of a part is its file's, not its text's.
      return render(part, partData, tools, body).trimEnd();
    }) satisfies Include;
    return template.run(locals);
  }

  return { render, names: () => [...templates.keys()].sort() };
}

/** @throws Error for a first line that says no names, or a tool's. */
function read(file: string, name: string, toolNames: readonly string[]): Template {
  const source = readFileSync(file, 'utf8');
  const declared = /^<%#([\s\S]*?)-?%>/.exec(source)?.[1];
  if (declared === undefined) throw new Error(`${file} must begin with <%# the names of its data %>.`);
  const names = declared.split(/[\s,]+/).filter((word) => word !== '');
  const needs = names.filter((word) => !word.endsWith('?'));
  const may = names.filter((word) => word.endsWith('?')).map((word) => word.slice(0, -1));
  for (const word of [...needs, ...may]) {
    if (toolNames.includes(word))
      throw new Error(`${file}: "${word}" is a tool's name, call the value something else.`);
  }
  const known = [...needs, ...may, ...toolNames, 'include'];
  let compiled: Template['run'] | undefined;
  const run: Template['run'] = (locals) => {
    compiled ??= compile(source, { file, name, known });
    return compiled(locals);
  };
  return { run, needs, may };
}

function compile(source: string, { file, name, known }: { file: string; name: string; known: string[] }) {
  const options = {
    filename: file,
    strict: true,
    // Our own `include` takes the place of the library's, which would look for files while rendering. That works
    // inside the block that this option opens, which also gives errors the template's name and line.
    compileDebug: true,
    destructuredLocals: known,
    // Each name is a value of its own of what `render` hands in, so that nothing is looked up in a prototype.
    unsafePrototypeLocals: true,
    escape: name.endsWith('.txt') ? plain : escapeHtml,
  };
  return ejs.compile(source, options);
}

// Controls that reorder or hide text would let a name pretend to be other words around it.
const DISGUISES = /[\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\u2060\ufeff]/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for HTML content and quoted attributes; null and undefined are empty. */
export function escapeHtml(value: unknown): string {
  if (value === null || value === undefined) return '';
  return String(value)
    .replace(DISGUISES, '')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** A value inside a plain text: one line, so that a name can't forge lines or headers of a mail. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return '';
  return String(value)
    .replace(DISGUISES, '')
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}
