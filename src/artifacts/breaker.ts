/**
 * Whether a store is asked at all. Opens at a fault that says so (refused, read-only, out of memory) or at the second
 * silence in a row; only the heartbeat closes it, so no request ever is the one that tries. (cockatiel's breaker
 * lets a request try, and counts requests; with a frozen server that costs somebody the whole timeout each time.)
 */
export interface Breaker {
  closed(): boolean;
  /** Milliseconds since it opened; 0 while it is closed. */
  openFor(): number;
  failed(error: unknown): void;
  /** Of the heartbeat. */
  recovered(): void;
  /** Of a request: silences are no longer in a row. */
  answered(): void;
}

/** What the client of Redis says of an answer that did not come in time. */
export const TIMED_OUT = 'Command timed out';

const SILENCES = 2;

export function createBreaker(onChange: (closed: boolean, cause?: unknown) => void): Breaker {
  let openedAt: number | undefined;
  let silences = 0;
  return {
    closed: () => openedAt === undefined,
    openFor: () => (openedAt === undefined ? 0 : performance.now() - openedAt),
    failed(error) {
      silences += 1;
      if (openedAt !== undefined || (isSilence(error) && silences < SILENCES)) return;
      openedAt = performance.now();
      onChange(false, error);
    },
    recovered() {
      silences = 0;
      if (openedAt === undefined) return;
      openedAt = undefined;
      onChange(true);
    },
    answered() {
      if (openedAt === undefined) silences = 0;
    },
  };
}

function isSilence(error: unknown): boolean {
  return error instanceof Error && error.message === TIMED_OUT;
}
