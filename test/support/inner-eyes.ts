/**
 * Loaded into a server process before it (`--import`): measures the delay of its event loop, and moves its clock. The
 * test asks by SIGUSR2 and reads and writes two files, named by the environment. Only tests load it.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const loop = monitorEventLoopDelay({ resolution: 5 });
loop.enable();
const RealDate = Date;
let offsetMs = 0;

class ShiftedDate extends RealDate {
  constructor(...given: []) {
    if (given.length === 0) super(RealDate.now() + offsetMs);
    else super(...given);
  }
  static override now(): number {
    return RealDate.now() + offsetMs;
  }
}
globalThis.Date = ShiftedDate as DateConstructor;

const shift = process.env['TEST_CLOCK_SHIFT'] as string;
const report = process.env['TEST_LOOP_REPORT'] as string;
process.on('SIGUSR2', () => {
  if (existsSync(shift)) offsetMs = Number(readFileSync(shift, 'utf8'));
  const ms = (nanoseconds: number) => nanoseconds / 1e6;
  writeFileSync(
    report,
    JSON.stringify({ p99: ms(loop.percentile(99)), max: ms(loop.max), rss: process.memoryUsage.rss() }),
  );
  loop.reset();
});
