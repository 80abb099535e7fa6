/** An issuer whose event loop is measured inside its own process, and whose clock a test can move while it runs. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Issuer, type IssuerOptions, startIssuer } from './issuer.ts';

const eyes = new URL('./inner-eyes.ts', import.meta.url).href;

export interface WatchedIssuer extends Issuer {
  /** Delay of the event loop since the last call, in milliseconds (resolution 5), and memory in bytes. */
  loop(): Promise<{ p99: number; max: number; rss: number }>;
  /** The clock goes on with this distance from the true one. Timers don't notice, as with a real jump. */
  moveClock(ms: number): Promise<void>;
}

export async function startWatchedIssuer(t: TestContext, options: IssuerOptions = {}): Promise<WatchedIssuer> {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-watch-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const files = { TEST_CLOCK_SHIFT: join(dir, 'shift'), TEST_LOOP_REPORT: join(dir, 'report') };
  const env = { ...options.env, ...files, NODE_OPTIONS: `--import ${eyes}` };
  const issuer = await startIssuer(t, { ...options, env });
  const pid = () => Number(/"pid":(\d+),"msg":"listening"/.exec(issuer.output())?.[1]);

  async function loop() {
    rmSync(files.TEST_LOOP_REPORT, { force: true });
    process.kill(pid(), 'SIGUSR2');
    while (!existsSync(files.TEST_LOOP_REPORT) || readFileSync(files.TEST_LOOP_REPORT, 'utf8') === '')
      await new Promise((resolve) => setTimeout(resolve, 10));
    return JSON.parse(readFileSync(files.TEST_LOOP_REPORT, 'utf8')) as { p99: number; max: number; rss: number };
  }

  return {
    ...issuer,
    loop,
    async moveClock(ms) {
      writeFileSync(files.TEST_CLOCK_SHIFT, String(ms));
      await loop();
    },
  };
}
