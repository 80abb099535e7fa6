/**
 * Files that are printed from the schemas: `.env.example`, the tables of settings, the JSON Schema of the YAML file.
 * A test compares them with what is in the repository.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigSchema } from './file-schema.ts';
import { type About, about } from './setting.ts';
import { GROUPS } from './variables.ts';

const WIDTH = 120;
const README_TABLE = /(<!-- settings:start -->\n)[\s\S]*?(<!-- settings:end -->)/;

type Described = { name: string } & About & { default?: string | undefined };

const groups: Array<{ title: string; settings: Described[] }> = Object.entries(GROUPS).map(([title, group]) => ({
  title,
  settings: Object.entries(group).map(([name, schema]) => ({ name, ...(about.get(schema) as About) })),
}));

/** Writes the files below `root`. @returns their names. */
export async function writeGenerated(root: string): Promise<string[]> {
  const files = await generatedFiles(root);
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
  return Object.keys(files);
}

/** Name and text of each generated file. Of README only the table is ours. */
export async function generatedFiles(root: string): Promise<Record<string, string>> {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  return {
    '.env.example': envExample(),
    'docs/settings.md': settingsPage(),
    'docs/config.schema.json': configSchema(),
    'README.md': readme.replace(README_TABLE, (_all, start, end) => `${start}${settingsTable()}${end}`),
  };
}

export function envExample(): string {
  const head = [
    'Copy this file to .env and take the # from what you change. Everything has a default or is made at the first',
    'start in development. What the environment sets wins over .env. docs/settings.md says more.',
  ];
  const blocks = groups.flatMap(({ title, settings }) => [`# --- ${title} ---`, ...settings.map(envBlock)]);
  return `${[comment(head), ...blocks].join('\n\n')}\n`;
}

function envBlock(setting: Described): string {
  const { name, description, secret, example } = setting;
  const lines = [
    ...wrap(description),
    ...wrap(`Default: ${defaultOf(setting)}.`),
    ...(secret ? wrap(`Or ${name}_FILE=PATH. Example: ${example}`) : []),
  ];
  const value = setting.default || (secret ? '' : example);
  return `${comment(lines)}\n#${name}=${/[ #]/.test(value) ? `"${value}"` : value}`;
}

export function settingsPage(): string {
  const sections = groups.map(({ title, settings }) => {
    const rows = settings.map((setting) =>
      row([nameOf(setting), setting.description, setting.expected, code(setting.example), preset(setting)]),
    );
    const head = ['| setting | what it is | values | example | default |', '|---|---|---|---|---|'];
    return [`## ${title}`, '', ...head, ...rows].join('\n');
  });
  return `${[PAGE_HEAD, ...sections].join('\n\n')}\n`;
}

const PAGE_HEAD = `# Settings

<!-- Printed from src/config/variables.ts by \`npm run generate\`; change it there. -->

Settings are environment variables. A file \`.env\` in the folder where the process starts is read too; what the environment
sets wins, and an empty value means "not set". All faults are reported in one message, and the process ends with code 78;
\`LATCHKEY_\` names that nobody knows are warned about.

- **Secrets** (marked †) can come from a file: \`LATCHKEY_SECRET_KEY_FILE=/run/secrets/secret_key\`.
- **Development mode** is a start whose issuer is on a loopback host while \`NODE_ENV\` is not \`production\`. Everything else is
  production mode, which wants an https issuer, \`LATCHKEY_SECRET_KEY\` and \`LATCHKEY_SMTP_URL\`.
- **Time spans** are seconds (\`90\`) or have a unit: \`90s\`, \`15m\`, \`12h\`, \`7d\`. A browser session ends after 30 days at most,
  whatever it is used for (NIST SP 800-63B-4, AAL1).
- \`NODE_COMPILE_CACHE\` names a folder for compiled code, which makes starts faster; \`node_modules/.cache/latchkey\` by default.`;

/** All settings in one table, for README. */
export function settingsTable(): string {
  const rows = groups.flatMap(({ title, settings }) => [
    row([`**${title}**`, '', '']),
    ...settings.map((setting) => row([nameOf(setting), setting.description, preset(setting)])),
  ]);
  return `${['| setting | what it is | default |', '|---|---|---|', ...rows].join('\n')}\n\n† also from a file: \`<NAME>_FILE\`.\n`;
}

/** JSON Schema (draft 7, which editors know best) of the YAML file. */
export function configSchema(): string {
  const schema = z.toJSONSchema(ConfigSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  return `${printed({ title: 'Latchkey configuration file', ...schema }, '', 0)}\n`;
}

/** JSON as the formatter of this repository writes it: lists of plain values on one line where they fit. */
function printed(value: unknown, indent: string, before: number): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const line = `[${value.map((each) => JSON.stringify(each)).join(', ')}]`;
    const plain = value.every((each) => typeof each !== 'object');
    if (plain && indent.length + before + line.length < WIDTH) return line;
    return `[\n${value.map((each) => inner + printed(each, inner, 0)).join(',\n')}\n${indent}]`;
  }
  const members = Object.entries(value).map(([key, each]) => {
    const name = `${JSON.stringify(key)}: `;
    return inner + name + printed(each, inner, name.length);
  });
  return members.length === 0 ? '{}' : `{\n${members.join(',\n')}\n${indent}}`;
}

function nameOf({ name, secret }: Described): string {
  return `\`${name}\`${secret ? ' †' : ''}`;
}

function preset(setting: Described): string {
  return setting.default ? code(setting.default) : defaultOf(setting);
}

function defaultOf(setting: Described): string {
  return setting.default || setting.otherwise || 'none';
}

const code = (text: string) => `\`${text}\``;
const row = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
const comment = (lines: string[]) => lines.map((each) => `# ${each}`).join('\n');

/** Lines that fit behind `# `. */
function wrap(text: string): string[] {
  return text.match(new RegExp(`.{1,${WIDTH - 4}}(?= |$)`, 'g'))?.map((each) => each.trim()) ?? [];
}
