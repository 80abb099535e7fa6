/** What a proof is: a fault that is really made, at full count by `npm run proofs` and a few times by `npm test`. */
import { type TestContext, test } from 'node:test';

export type Size = Readonly<Record<string, number>>;

export interface Proof<Of extends Size = Size> {
  /** The fault, as the table names it. */
  fault: string;
  /** What holds while it lasts and after it. */
  promise: string;
  few: Of;
  full: Of;
  /** Fails when the promise is broken. @returns what was measured, in a line. */
  run(t: TestContext, size: Of): Promise<string>;
}

/** A few rounds of each, as tests. */
export function testFew(...proofs: Proof[]): void {
  for (const { fault, promise, few, run } of proofs) {
    test(`${fault}: ${promise}`, async (t) => {
      t.diagnostic(await run(t, few));
    });
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
export const between = (low: number, high: number): number => low + Math.random() * (high - low);
export const oneOf = <Item>(items: readonly Item[]): Item => items[Math.floor(Math.random() * items.length)] as Item;

/** The value below which the part (0 to 1) of the values lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Waits until it is true, or fails after that many milliseconds. @returns how long it took. */
export async function until(what: string, holds: () => Promise<boolean>, patienceMs = 10_000): Promise<number> {
  const started = performance.now();
  while (!(await holds().catch(() => false))) {
    if (performance.now() - started > patienceMs) throw new Error(`${what}: not within ${patienceMs} ms`);
    await pause(20);
  }
  return performance.now() - started;
}
