/** The heartbeat of Redis: asks it four times a second whether it reads and whether it writes, and keeps a breaker for
 * each, because a read-only or full server still answers reads. */
import type { VolatileState } from './artifacts.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import type { RedisValues } from './redis.ts';

const BEAT_MS = 250;

export interface WatchOptions {
  values: Pick<RedisValues, 'probeReading' | 'probeWriting' | 'evictionPolicy'>;
  /** At each change; `cause` is the fault that was met, for the log. */
  onState(state: VolatileState, cause?: unknown): void;
  /** The server is set to throw values away. */
  onEviction(policy: string): void;
}

export interface Watch {
  reads: Breaker;
  writes: Breaker;
  state(): VolatileState;
  /** One beat, and what it says. */
  beat(): Promise<VolatileState>;
  /** At each new connection: another server may be set otherwise. */
  inspect(): Promise<void>;
  start(): void;
  stop(): void;
}

export function createWatch({ values, onState, onEviction }: WatchOptions): Watch {
  let evicting = false;
  let told: VolatileState = 'up';
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const reads = createBreaker(changed);
  const writes = createBreaker(changed);
  const state = (): VolatileState => (reads.closed() && writes.closed() && !evicting ? 'up' : 'degraded');

  function changed(_closed: boolean, cause?: unknown): void {
    if (stopped || state() === told) return;
    told = state();
    onState(told, cause);
  }

  async function beat(): Promise<VolatileState> {
    const heard = (breaker: Breaker, probe: Promise<void>) => probe.then(breaker.recovered, breaker.failed);
    await Promise.all([heard(reads, values.probeReading()), heard(writes, values.probeWriting())]);
    return state();
  }

  function schedule(ms: number): void {
    timer = setTimeout(async () => {
      const started = performance.now();
      const found = await beat();
      // A first silence is asked about at once.
      const slow = performance.now() - started >= BEAT_MS;
      if (!stopped) schedule(slow && found === 'up' ? 0 : BEAT_MS);
    }, ms);
    timer.unref();
  }

  return {
    reads,
    writes,
    state,
    beat,
    async inspect() {
      const policy = await values.evictionPolicy().catch(() => undefined);
      const before = evicting;
      evicting = policy !== undefined;
      if (policy !== undefined && !before) onEviction(policy);
      changed(!evicting);
    },
    start: () => schedule(BEAT_MS),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
