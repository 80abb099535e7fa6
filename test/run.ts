/**
 * `npm test`: installs what the tests need beyond npm, then types, lint and format, then every test, nothing skipped.
 * `--only checks` stops after the checks; other arguments are test files.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
    .map((file) => join('test', file))
    .sort((a, b) => Number(b.includes('journeys')) - Number(a.includes('journeys')) || a.localeCompare(b));
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
  const flags = ['--test', '--test-concurrency=2', '--test-timeout=300000', '--disable-warning=ExperimentalWarning'];
  step('tests', process.execPath, [...flags, ...files]);
}
