/** The table of requirements is whole: each line has a test that exists, and a change that still can be made. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  AWAITED,
  FAULTS,
  FAULTS_AWAITED,
  HOLES,
  keyOf,
  PAGE,
  PROOFS,
  page,
  REQUIREMENTS,
  ROOT,
  readResults,
} from './requirements/table.ts';

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const document = read('docs/security-requirements.md');
/** Rows of the table below a heading, as cells. */
const rows = (heading: string) =>
  (document.split(`## ${heading}\n`)[1] ?? '')
    .split('\n## ')[0]
    ?.split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| |\s*\|$/g, '').trim())) ?? [];

test('every requirement has its test, named by its id, or is said to be awaited', () => {
  const ids = ['Protocol', 'Authentication', 'Sessions', 'Platform'].flatMap((heading) =>
    rows(heading).map(([id]) => String(id)),
  );
  assert.equal(ids.length, 41 + 20 + 8 + 16);
  const shown = new Set(REQUIREMENTS.map(({ id }) => id));
  assert.deepEqual(
    ids.filter((id) => !shown.has(id) && !(id in AWAITED)),
    [],
  );
  assert.deepEqual(
    REQUIREMENTS.filter(({ id }) => !ids.includes(id)).map(({ id }) => id),
    [],
  );
  for (const { id, test: name, file } of REQUIREMENTS)
    assert.ok(name.includes(id) || read(join('test', file)).includes(`${id}, D6`), `${id}: ${name}`);
});

test('every class of holes is covered by a line of the table or by a test of its own', () => {
  const shown = new Set([...REQUIREMENTS.map(({ id }) => id), ...Object.keys(AWAITED)]);
  const classes = rows('Classes of real holes');
  assert.ok(classes.length > 40);
  const open = classes.filter(
    ([name = '', , by = '']) =>
      !HOLES.some(({ id }) => name.includes(id)) && ![...by.matchAll(/\b[PASX]\d\d\b/g)].some(([id]) => shown.has(id)),
  );
  assert.deepEqual(
    open.map(([name]) => name),
    [],
  );
  for (const { id } of HOLES)
    assert.ok(
      classes.some(([name]) => name?.includes(id)),
      id,
    );
});

test('every fault has its test, or is said to have none', () => {
  const known = new Set([...FAULTS.map(({ id }) => id), ...Object.keys(FAULTS_AWAITED)]);
  const faults = rows('Faults').map(([name]) => String(name));
  assert.ok(faults.length > 20);
  assert.deepEqual(
    faults.filter((name) => !known.has(name)),
    [],
  );
  assert.deepEqual(
    [...known].filter((name) => !faults.includes(name)),
    [],
  );
});

test('each test is there, and each change can be made at exactly one place', () => {
  const plain = (text: string) => text.replaceAll(/\s+/g, ' ');
  assert.equal(new Set(PROOFS.map(keyOf)).size, PROOFS.length, 'an entry twice');
  for (const { id, file, test: name, within = '', change } of PROOFS) {
    const text = plain(read(join('test', file)) + readProofs(file));
    for (const part of [name, within]) assert.ok(text.includes(plain(part)), `${id}: no test "${part}" in ${file}`);
    if (!change) continue;
    assert.notEqual(change.from, change.to, id);
    assert.equal(read(change.file).split(change.from).length, 2, `${id}: ${change.from} in ${change.file}`);
  }
});

/** What a file of faults runs is named in its proof. */
function readProofs(file: string): string {
  const [, name] = /^faults-(\w+)\.test\.ts$/.exec(file) ?? [];
  return name ? read(`test/proofs/${name}.proof.ts`) : '';
}

test(`${PAGE} is what the table and its results say`, () => {
  assert.equal(read(PAGE), page(readResults()));
});
