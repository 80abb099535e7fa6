/** The documents hold together: links lead somewhere, every requirement has its line. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

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
