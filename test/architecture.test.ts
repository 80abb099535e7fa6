/** The house keeps its order: who imports whom, who reads the environment, who speaks SQL, how long a file is. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { importsOf, type Piece, pieces } from './support/source.ts';

const PLUMBING = ['errors.ts', 'patience.ts', 'http'];
const STORAGE = ['errors.ts', 'patience.ts', 'db', 'keyring', 'artifacts'];
const FEATURES = ['access', 'accounts', 'factors', 'sessions', 'oidc', 'limits', 'audit', 'jobs'];
const DOORS = ['login', 'account', 'api', 'device', 'dev', 'ops'];
const ROOT = ['config', 'db', 'keyring', 'artifacts', 'mail', ...PLUMBING, ...FEATURES, 'places.ts'];

/**
 * What a folder (or a file of `src` itself) may import besides itself. A new edge needs a reason; a new folder a line.
 * Nothing of the plumbing knows a feature; what a lower part needs from a higher one it is given as a function.
 */
const MAY_IMPORT: Record<string, string[]> = {
  'errors.ts': [],
  'patience.ts': [],
  'places.ts': [],
  config: [],
  http: ['errors.ts', 'patience.ts'],
  db: ['errors.ts'],
  keyring: ['db', 'errors.ts'],
  artifacts: ['db', 'keyring', 'errors.ts'],
  mail: ['errors.ts'],

  jobs: [...STORAGE, 'audit'],
  // What the operator says of addresses is recorded.
  limits: [...STORAGE, 'audit'],
  audit: STORAGE,
  accounts: [...STORAGE, 'jobs', 'limits', 'audit'],
  // What protects an account beyond its password, and how sure a sign-in is; knows no page and no protocol.
  factors: [...STORAGE, 'jobs', 'limits', 'audit'],
  // Who must have a second factor is a rule of roles over what factors proved.
  access: [...STORAGE, 'audit', 'factors'],
  sessions: [...STORAGE, 'jobs', 'audit'],
  // The protocol answers requests itself, and judges how sure a sign-in is by the rules of factors.
  oidc: [...STORAGE, 'http', 'limits', 'audit', 'factors'],

  // Doors: they decide who asks, a feature decides what happens.
  // A page that belongs to no sign-in makes the handle of its own.
  login: [...PLUMBING, 'artifacts', 'accounts', 'factors', 'sessions', 'oidc', 'limits', 'audit'],
  account: [...PLUMBING, 'accounts', 'factors', 'sessions', 'oidc', 'limits', 'audit'],
  api: [...PLUMBING, 'access', 'accounts', 'factors', 'sessions', 'oidc', 'limits', 'audit'],
  device: [...PLUMBING, 'sessions', 'oidc', 'limits'],
  dev: [...PLUMBING, 'mail', 'oidc'],
  ops: [...PLUMBING, 'db', 'artifacts'],
  cli: ['config', 'db', 'keyring', 'mail', 'ops', ...PLUMBING, ...FEATURES],

  // Where parts meet.
  'backends.ts': ['artifacts', 'config', 'db', 'keyring', 'mail'],
  'exporters.ts': ROOT,
  'people.ts': ROOT,
  'sign-ins.ts': ['config', 'db', ...FEATURES],
  'services.ts': [...ROOT, 'backends.ts', 'ops', 'exporters.ts', 'people.ts', 'sign-ins.ts'],
  'protocol.ts': [...ROOT, ...DOORS, 'services.ts'],
  'app.ts': [...ROOT, ...DOORS, 'protocol.ts', 'services.ts'],
  'serve.ts': [...ROOT, 'dev', 'ops', 'app.ts', 'services.ts'],
  // A restored database is settled before anything else opens it.
  'restoring.ts': [...ROOT, 'ops', 'serve.ts', 'services.ts'],
  'open.ts': [...ROOT, 'cli', 'ops', 'restoring.ts', 'serve.ts', 'services.ts'],
  'banner.ts': ['config', 'cli', 'dev'],
  'workers.ts': [],
  'main.ts': ['config', 'http', 'cli', 'banner.ts', 'open.ts', 'places.ts', 'serve.ts', 'workers.ts'],
};

const MAX_LINES = 250;
/** A scenario is longer than a rule, but not without end. */
const MAX_TEST_LINES = 500;
const DRAWERS = /^(utils?|helpers?|commons?|misc|miscellaneous|libs?|shared|stuff)(\.|$)/;
/** Statements on tables, as this code writes them: in capitals. */
const SQL =
  /\b(SELECT\b[\s\S]+\bFROM|INSERT INTO|UPDATE \S+\s+SET|DELETE FROM|CREATE (TABLE|INDEX|UNIQUE)|PRAGMA|BEGIN|COMMIT)\b/;
const SPEAKS_SQL = /^src\/(db|artifacts)\/|(^|[-/])store\.ts$/;

const root = fileURLToPath(new URL('..', import.meta.url));

function filesOf(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((name) => pattern.test(name) && statSync(join(root, name)).isFile())
    .sort();
}

const read = (name: string) => readFileSync(join(root, name), 'utf8');
const sources = filesOf('src', /\.ts$/);
const graph = new Map(sources.map((name) => [name, importsOf(read(name))]));
const local = (name: string) =>
  (graph.get(name) ?? [])
    .filter((target) => target.startsWith('.'))
    .map((target) => relative(root, resolve(root, dirname(name), target)));
/** The folder below `src`, or the file of `src` itself. */
const placeOf = (name: string) => name.split('/')[1] ?? '';

test('every folder of src has its line in the table', () => {
  const unknown = [...new Set(sources.map(placeOf))].filter((place) => !(place in MAY_IMPORT));
  assert.deepEqual(unknown, []);
});

test('everybody imports only what the table allows', () => {
  const wrong = sources.flatMap((name) =>
    local(name)
      .filter((target) => {
        const [from, to] = [placeOf(name), placeOf(target)];
        return !target.startsWith('src/') || (from !== to && !MAY_IMPORT[from]?.includes(to));
      })
      .map((target) => `${name} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('folders do not import each other in a circle', () => {
  const edges = new Map<string, string[]>();
  for (const [place, targets] of Object.entries(MAY_IMPORT)) edges.set(place, targets);
  assert.equal(circleIn(edges), undefined);
});

test('files do not import each other in a circle, not even for types', () => {
  assert.equal(circleIn(new Map(sources.map((name) => [name, local(name)]))), undefined);
});

/** The first circle that is found, as a path. */
function circleIn(edges: Map<string, string[]>): string | undefined {
  const done = new Set<string>();
  function visit(node: string, path: string[]): string | undefined {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node].join(' → ');
    if (done.has(node)) return undefined;
    for (const next of edges.get(node) ?? []) {
      const circle = visit(next, [...path, node]);
      if (circle) return circle;
    }
    done.add(node);
    return undefined;
  }
  for (const node of edges.keys()) {
    const circle = visit(node, []);
    if (circle) return circle;
  }
  return undefined;
}

test('imports of our own files name them completely', () => {
  const wrong = sources.flatMap((name) =>
    local(name)
      .filter((target) => !sources.includes(target) && !target.endsWith('.json'))
      .map((target) => `${name} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

/** Files of `src` of which a piece of the given kind matches. */
function found(kinds: Piece['kind'][], pattern: RegExp): string[] {
  return sources.filter((name) =>
    pieces(read(name)).some((piece) => kinds.includes(piece.kind) && pattern.test(piece.text)),
  );
}

test('only main.ts touches the process and its environment', () => {
  const readers = found(
    ['code'],
    /(?<![.\w$])process\b(?!\s*[:(])|\bglobalThis\s*\.\s*process\b|\bimport\.meta\.env\b/,
  );
  const importers = sources.filter((name) => graph.get(name)?.some((target) => /^(node:)?process$/.test(target)));
  assert.deepEqual([...new Set([...readers, ...importers])], ['src/main.ts']);
});

test('SQL is spoken in stores, in the artifacts and in db', () => {
  assert.deepEqual(
    found(['text', 'template'], SQL).filter((name) => !SPEAKS_SQL.test(name)),
    [],
  );
});

test('nobody writes to the console; there is a log', () => {
  assert.deepEqual(found(['code'], /\bconsole\s*[.[]/), []);
});

test('templates escape everything: raw output is for including other templates', () => {
  const wrong = filesOf('views', /\.ejs$/).flatMap((name) =>
    read(name)
      .split('\n')
      .filter((line) => [...line.matchAll(/<%-(?!\s*include\()/g)].length > 0)
      .map((line) => `${name}: ${line.trim()}`),
  );
  assert.deepEqual(wrong, []);
});

const written = ['src', 'bin', 'migrations', 'test', 'bench'].flatMap((folder) => {
  const there = statSync(join(root, folder), { throwIfNoEntry: false });
  return there ? filesOf(folder, /\.[jt]s$/).filter((name) => !/fixtures|\.cache/.test(name)) : [];
});

test('files are short', () => {
  const long = written
    .map((name) => ({ name, lines: read(name).trimEnd().split('\n').length }))
    .filter(({ name, lines }) => lines > (name.startsWith('test/') ? MAX_TEST_LINES : MAX_LINES));
  assert.deepEqual(long, []);
});

test('every file begins by saying what it is', () => {
  const silent = written.filter((name) => !/^(#!.*\n)?\/[*/]/.test(read(name)));
  assert.deepEqual(silent, []);
});

test('there are no drawers', () => {
  const names = [...written, ...filesOf('views', /./), ...filesOf('docs', /./)];
  assert.deepEqual(
    names.filter((name) => name.split('/').some((part) => DRAWERS.test(part))),
    [],
  );
});

test('the reader of sources tells code from words', () => {
  const source = [
    `const a = /['"\`]/g.test(x) / 2; // it's`,
    "import type { A } from './a.ts'; import './b.ts';",
    `const s = \`one \${flag ? \`two \${process.pid}\` : 'three'} process\`; const t = 'it\\'s';`,
    'await import(',
    "  './c.ts');",
    "const w = `import x from './no.ts'`; const v = \"from './no.ts'\"; Array.from('x');",
  ].join('\n');
  assert.deepEqual(importsOf(source), ['./a.ts', './b.ts', './c.ts']);
  const code = pieces(source).filter(({ kind, text }) => kind === 'code' && text.includes('process'));
  assert.deepEqual(code, [{ kind: 'code', text: 'process.pid' }]);
});
