/** Runs test files, each in a process of its own and several at a time, and shows what each printed when it has ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface FileResult {
  file: string;
  seconds: number;
  passed: number;
  /** Counts what was skipped or left for later: nothing is. */
  failed: number;
  /** What the reporter said of the tests that failed, shortened. */
  why: string;
}

/** For a test. */
const TEST_MS = 300_000;
/** For a file. The longest takes three minutes. */
const FILE_MS = 4 * TEST_MS;
/** What a process that was told to end still gets. */
const GRACE_MS = 10_000;

/**
 * @param lanes what each lane takes, best first: a file that no lane takes is not run. A lane ends when nothing is left
 * for it.
 */
export async function runFiles(
  files: readonly string[],
  { cwd, lanes }: { cwd: string; lanes: ReadonlyArray<(file: string) => boolean> },
): Promise<FileResult[]> {
  const waiting = [...files];
  const results: FileResult[] = [];
  const stop = () => {
    waiting.length = 0;
    for (const child of running) end(child);
  };
  // They don't share the terminal's signals: each leads a group of its own, so that all it started can be ended.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  await Promise.all(
    lanes.map(async (takes) => {
      for (;;) {
        const at = waiting.findIndex(takes);
        if (at < 0) return;
        results.push(await runFile(waiting.splice(at, 1)[0] as string, cwd));
      }
    }),
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
  return results;
}

const running = new Set<ChildProcess>();

/** With everything that it has started. */
function end({ pid }: ChildProcess): void {
  try {
    if (pid) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

async function runFile(file: string, cwd: string): Promise<FileResult> {
  const flags = [`--test-timeout=${TEST_MS}`, '--test-reporter=spec', '--disable-warning=ExperimentalWarning'];
  const started = performance.now();
  const child = spawn(process.execPath, [...flags, file], { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const late = setTimeout(() => {
    output += `\n${file} did not end within ${FILE_MS / 1000} s\n`;
    child.kill('SIGINT'); // says which test it was
    setTimeout(() => end(child), GRACE_MS).unref();
  }, FILE_MS);
  const closed = once(child, 'close');
  const [code] = (await once(child, 'exit')) as [number | null];
  clearTimeout(late);
  running.delete(child);
  end(child); // what it left behind would hold the streams, and the machine
  await closed;
  const seconds = (performance.now() - started) / 1000;
  const { passed, failed } = counts(output, code);
  process.stdout.write(
    `\n${file}: ${failed === 0 ? 'ok' : 'FAILED'} (${seconds.toFixed(1)} s)\n${output.replace(SUMMARY, '')}`,
  );
  return { file, seconds, passed, failed, why: failed === 0 ? '' : failures(output) };
}

const SUMMARY = /^ℹ (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+\n/gm;

const REASON_LINES = 12;

/** The reporter repeats the failures at its end; a file that did not come so far tells its last lines. */
function failures(output: string): string {
  const told = output
    .split(/^✖ failing tests:$/m)[1]
    ?.trim()
    .split('\n');
  const lines = told?.slice(0, REASON_LINES) ?? output.trim().split('\n').slice(-REASON_LINES);
  return lines.map((line) => `  ${line}\n`).join('');
}

/** From the reporter's own summary. A file that has none, or no test, has failed. */
function counts(output: string, code: number | null): { passed: number; failed: number } {
  const count = (name: string) =>
    Number(
      output
        .match(new RegExp(`^ℹ ${name} (\\d+)$`, 'gm'))
        ?.at(-1)
        ?.split(' ')[2] ?? 0,
    );
  const passed = count('pass');
  const failed = count('fail') + count('cancelled') + count('skipped') + count('todo');
  return { passed, failed: Math.max(failed, code === 0 && passed > 0 ? 0 : 1) };
}
