/**
 * `npm test`: installs what the tests need beyond npm, then types, lint and format, then every test, nothing skipped.
 * `--only checks` stops after the checks; other arguments are test files.
 */
import { spawn, spawnSync } from 'node:child_process';
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

/** These measure how long something takes, or put load on the machine: each gets it for itself. */
const ALONE = /^test\/(faults-|redis-|workers|keys|passwords|http-server)/;

interface Counted {
  passed: number;
  failed: number;
  status: number;
}

/** Runs the files and shows what they print; counts from the runner's own summary. */
function runTests(files: string[], concurrency: number): Promise<Counted> {
  const flags = ['--test', `--test-concurrency=${concurrency}`, '--test-timeout=300000', '--test-reporter=spec'];
  const runner = spawn(process.execPath, [...flags, '--disable-warning=ExperimentalWarning', ...files], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let tail = '';
  runner.stdout.on('data', (chunk: Buffer) => {
    process.stdout.write(chunk);
    tail = (tail + chunk.toString()).slice(-1_000_000);
  });
  const count = (name: string) => Number(new RegExp(`^\\S+ ${name} (\\d+)$`, 'm').exec(tail)?.[1] ?? 0);
  return new Promise((resolve) => {
    runner.on('close', (code) => {
      const failed = count('fail') + count('cancelled') + count('skipped') + count('todo');
      resolve({ passed: count('pass'), failed: Math.max(failed, code === 0 ? 0 : 1), status: code ?? 1 });
    });
  });
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
  const stages = [
    { files: files.filter((file) => !ALONE.test(file)), concurrency: 2 },
    { files: files.filter((file) => ALONE.test(file)), concurrency: 1 },
  ].filter((stage) => stage.files.length > 0);
  const { prepareData, PREPARED } = await import('./support/prepared.ts');
  const prepared = await prepareData();
  process.env[PREPARED] = prepared.dir;
  const counted: Counted[] = [];
  for (const stage of stages) counted.push(await runTests(stage.files, stage.concurrency));
  prepared.remove();
  const sum = (of: (each: Counted) => number) => counted.reduce((total, each) => total + of(each), 0);
  process.stdout.write(`\n${sum((each) => each.passed)} passed, ${sum((each) => each.failed)} failed\n`);
  process.exit(counted.every((each) => each.status === 0 && each.failed === 0) ? 0 : 1);
}
