/** Random bytes from a pool: asking the system for a few of them costs more than what is done with them. */
import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8192;
const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let used = POOL_BYTES;

/** As `randomBytes`, for small counts. What was given out stays in no pool. */
export function takeRandom(count: number): Buffer {
  if (used + count > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const bytes = Buffer.allocUnsafe(count);
  // One by one: for so few, two calls out of the language cost more.
  for (let index = 0; index < count; index += 1) {
    bytes[index] = pool[used + index] as number;
    pool[used + index] = 0;
  }
  used += count;
  return bytes;
}
