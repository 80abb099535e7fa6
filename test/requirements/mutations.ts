/**
 * `npm run proofs -- mutations [ids] [--again]`: makes each change of the table in a copy of the project and runs its
 * test, which has to pass before and to fail after. Every result is written at once, so that a run may be broken off.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Proof } from './requirement.ts';
import { digestOf, keyOf, PAGE, PROOFS, page, RESULTS, type Result, ROOT, readResults, resultOf } from './table.ts';

const TIMEOUT_MS = 240_000;

/** The project with packages that are links, but for the core, in which changes are made. */
function copyOfProject(): string {
  const copy = mkdtempSync(join(tmpdir(), 'latchkey-mutations-'));
  for (const name of readdirSync(ROOT).filter((each) => !/^(node_modules|data|\.git)$/.test(each)))
    cpSync(join(ROOT, name), join(copy, name), { recursive: true, filter: (path) => !path.includes('/node_modules') });
  const packages = join(copy, 'node_modules');
  mkdirSync(packages);
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter((each) => each !== '.cache')) {
    const original = join(ROOT, 'node_modules', name);
    if (name === 'oidc-provider') cpSync(original, join(packages, name), { recursive: true });
    else symlinkSync(original, join(packages, name));
  }
  return copy;
}

interface Ran {
  passed: number;
  failed: number;
  /** The first line of what the first failed test said. */
  why: string | undefined;
}

function runTest(copy: string, { file, test, within }: Proof): Ran {
  const name = (within ?? test).replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const flags = ['--test', '--test-timeout=200000', '--test-reporter=tap', `--test-name-pattern=${name}`];
  const { stdout } = spawnSync(process.execPath, [...flags, join('test', file)], {
    cwd: copy,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 256 * 1024 * 1024,
  });
  const count = (what: string) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(stdout)?.[1] ?? 0);
  const why = /failureType: '(?!subtestsFailed)[^\n]*\n\s*error: (?:\|-\s*)?([^\n]*)/.exec(stdout)?.[1]?.trim();
  return { passed: count('pass'), failed: count('fail') + count('cancelled'), why: why?.slice(0, 160) };
}

function tried(copy: string, proof: Proof): Result {
  const started = performance.now();
  const { file, from, to } = proof.change as NonNullable<Proof['change']>;
  const path = join(copy, file);
  const original = readFileSync(path, 'utf8');
  const before = runTest(copy, proof);
  writeFileSync(
    path,
    original.replace(from, () => to),
  );
  const after = runTest(copy, proof);
  writeFileSync(path, original);
  const right = before.passed > 0 && before.failed === 0;
  return {
    of: digestOf(proof),
    date: new Date().toISOString(),
    outcome: !right ? 'failed without the change, too' : after.failed > 0 ? 'failed' : 'survived',
    seconds: Math.round((performance.now() - started) / 1000),
    ...(after.failed > 0 && after.why ? { why: after.why } : {}),
  };
}

function record(results: Record<string, Result>): void {
  const known = new Set(PROOFS.map(keyOf));
  const kept = Object.entries(results).filter(([key]) => known.has(key));
  writeFileSync(RESULTS, `${JSON.stringify(Object.fromEntries(kept.sort()), null, 2)}\n`);
  writeFileSync(join(ROOT, PAGE), page(results));
}

export function runMutations(args: string[]): void {
  const results = readResults();
  const wanted = args.filter((argument) => !argument.startsWith('--'));
  const due = PROOFS.filter(
    (proof) =>
      proof.change &&
      (wanted.length === 0 || wanted.includes(proof.id)) &&
      (args.includes('--again') || resultOf(proof, results)?.outcome !== 'failed'),
  );
  const copy = due.length > 0 ? copyOfProject() : '';
  try {
    for (const [index, proof] of due.entries()) {
      const result = tried(copy, proof);
      results[keyOf(proof)] = result;
      record(results);
      process.stdout.write(`${index + 1}/${due.length} ${proof.id}: ${result.outcome} (${result.seconds} s)\n`);
    }
  } finally {
    if (copy) rmSync(copy, { recursive: true, force: true });
  }
  record(results);
  const wrong = PROOFS.filter((proof) => proof.change && resultOf(proof, results)?.outcome !== 'failed');
  for (const { id, test } of wrong) process.stdout.write(`not shown: ${id} by ${test}\n`);
  process.exitCode = wrong.length > 0 && wanted.length === 0 ? 1 : 0;
}
