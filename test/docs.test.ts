/** The documents hold together: links lead somewhere, every requirement has its line. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nextAuthBlock } from '../src/cli/blocks.ts';
import { loadConfigFile } from '../src/config/file.ts';
import { about } from '../src/config/setting.ts';
import { Variables } from '../src/config/variables.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Prose and tables without code, in which brackets and hashes mean other things. */
function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

/** The fragment by which a heading is linked. */
function anchorsOf(markdown: string): Set<string> {
  const headings = markdown.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

for (const document of documents) {
  test(`links of ${document} lead to files and headings that exist`, () => {
    const text = readFileSync(join(root, document), 'utf8');
    for (const [, target = ''] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', fragment] = target.split('#');
      const file = path === '' ? join(root, document) : join(root, dirname(document), path);
      assert.ok(existsSync(file), `${target} does not exist`);
      if (fragment) assert.ok(anchorsOf(readFileSync(file, 'utf8')).has(fragment), `${target} has no such heading`);
    }
  });
}

test('every requirement and design has exactly one line', () => {
  const text = readFileSync(join(root, 'docs/security-requirements.md'), 'utf8');
  const expected = Object.entries({ P: 41, A: 20, S: 8, X: 16 }).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}${String(index + 1).padStart(2, '0')}`),
  );
  const rows = [...text.matchAll(/^\| ([PASX]\d\d) \|/gm)].map(([, id]) => id);
  assert.deepEqual(rows, expected);
  const designs = [...text.matchAll(/^\*\*(D\d) /gm)].map(([, id]) => id);
  assert.deepEqual(designs, ['D1', 'D2', 'D3', 'D4', 'D5', 'D6', 'D7', 'D8', 'D9']);
});

test('decisions are short, numbered without a gap, and listed', () => {
  const folder = join(root, 'docs/decisions');
  const records = readdirSync(folder)
    .filter((name) => /^\d{4}-/.test(name))
    .sort();
  const list = readFileSync(join(folder, 'README.md'), 'utf8');
  records.forEach((name, index) => {
    const text = readFileSync(join(folder, name), 'utf8');
    assert.equal(name.slice(0, 4), String(index + 1).padStart(4, '0'));
    assert.ok(text.split('\n').length <= 51, `${name} is longer than 50 lines`);
    for (const part of ['## Context', '## Decision', '## Consequences'])
      assert.ok(text.includes(`\n${part}\n`), `${name}: ${part}`);
    assert.ok(list.includes(`](${name})`), `${name} is not in the list`);
  });
});

test('the configuration file of the documentation is one that starts', () => {
  const example = /^```yaml\n(# yaml-language-server[\s\S]*?)^```/m.exec(read('docs/configuration.md'))?.[1] ?? '';
  const secret = 'dGhlIHJhbmRvbSBzZWNyZXQgb2Yg';
  const env = { SHOP_CLIENT_SECRET: secret, CALENDAR_CLIENT_SECRET: secret };
  const readFile = (path: string) => (path.endsWith('.yaml') ? example : secret);
  const { clients, resources, branding } = loadConfigFile('/etc/latchkey/config.yaml', { env, readFile });
  assert.deepEqual(
    clients.map(({ client_id }) => client_id),
    ['shop', 'desk', 'reports', 'calendar'],
  );
  assert.equal(resources[0]?.identifier, 'https://api.example.com');
  assert.equal(branding.name, 'Acme');
});

test('the blocks to paste are those that the command line prints', () => {
  const block = nextAuthBlock({ issuer: '', clientId: '', clientSecret: '', url: '' });
  const parts = [...block.matchAll(/^(?:const handler|export const \{ handlers, auth)[\s\S]*?^\}\);$/gm)].map(
    ([part]) => part,
  );
  assert.equal(parts.length, 2, 'next-auth 4 and Auth.js 5');
  for (const document of ['README.md', 'docs/nextjs.md']) {
    for (const part of parts) assert.ok(read(document).includes(part), `${document} has another block than\n${part}`);
  }
});

test('every setting that is named anywhere exists', () => {
  const applications = ['LATCHKEY_CLIENT_ID', 'LATCHKEY_CLIENT_SECRET'];
  const settings = Object.entries(Variables.shape).flatMap(([name, schema]) =>
    about.get(schema)?.secret ? [name, `${name}_FILE`] : [name],
  );
  const known = new Set([...settings, ...applications]);
  const others = [
    'Dockerfile',
    'docker-compose.yml',
    'deploy/latchkey.service',
    'deploy/nginx.conf',
    'deploy/Caddyfile',
  ];
  for (const path of [...documents, ...others]) {
    for (const [name] of read(path).matchAll(/LATCHKEY_[A-Z0-9_]*[A-Z0-9]/g)) {
      assert.ok(known.has(name), `${path} names ${name}`);
    }
  }
});
