/**
 * `npm test`: installs what the tests need beyond npm, then types, lint and format, then every test, nothing skipped.
 * `--only checks` stops after the checks; other arguments are test files.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FileResult, runFiles } from './support/pool.ts';
import { stagesOf } from './support/schedule.ts';
import { installTools } from './support/tools.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);

function step(name: string, command: string, argv: string[]): void {
  const started = performance.now();
  const { status, error } = spawnSync(command, argv, { cwd: root, stdio: 'inherit' });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (error) throw error;
  if (status !== 0) {
    process.stderr.write(`\n${name}: failed after ${seconds} s\n`);
    process.exit(status ?? 1);
  }
  process.stdout.write(`${name}: ok (${seconds} s)\n`);
}

function testFiles(): string[] {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join('test', file));
}

/** What is worth to be made shorter. */
function tellSlowest(results: FileResult[]): void {
  const slowest = results.toSorted((a, b) => b.seconds - a.seconds).slice(0, 10);
  const lines = slowest.map(({ file, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${file}\n`);
  process.stdout.write(`\nThe slowest files:\n${lines.join('')}`);
}

if (args[0] === '--only' || args.length === 0) {
  step('types', process.execPath, ['node_modules/typescript/bin/tsc', '--noEmit']);
  step('lint and format', process.execPath, [
    'node_modules/@biomejs/biome/bin/biome',
    'ci',
    '--error-on-warnings',
    '.',
  ]);
}
if (args[0] !== '--only') {
  installTools();
  const files = args.length > 0 ? args : testFiles();
  const results: FileResult[] = [];
  const { prepareRun } = await import('./support/prepared.ts');
  const prepared = await prepareRun();
  Object.assign(process.env, prepared.env);
  for (const { files: some, lanes } of stagesOf(files)) {
    const started = performance.now();
    results.push(...(await runFiles(some, { cwd: root, lanes })));
    process.stdout.write(`\n${some.length} files in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
  }
  await prepared.remove();
  const sum = (of: (each: FileResult) => number) => results.reduce((total, each) => total + of(each), 0);
  const failed = results.filter((each) => each.failed > 0);
  tellSlowest(results);
  for (const { file, why } of failed) process.stdout.write(`\nFAILED: ${file}\n${why}`);
  process.stdout.write(`\n${sum((each) => each.passed)} passed, ${sum((each) => each.failed)} failed\n`);
  process.exit(failed.length === 0 ? 0 : 1);
}
