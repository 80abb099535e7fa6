/** The heartbeat of Redis: asks it four times a second whether it reads and whether it writes, and keeps a breaker for
 * each, because a read-only or full server still answers reads. */
import type { VolatileState } from './artifacts.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import type { RedisValues } from './redis.ts';

const BEAT_MS = 250;
/** Between two looks at what a server of the same connection may be set to meanwhile: 5 s. */
const BEATS_A_LOOK = 20;

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
  /** At each new connection, and every few seconds: the server may be set otherwise. */
  inspect(): Promise<void>;
  start(): void;
  stop(): void;
}

export function createWatch({ values, onState, onEviction }: WatchOptions): Watch {
  let evicting = false;
  let told: VolatileState = 'up';
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let beats = 0;
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

  async function inspect(): Promise<void> {
    let policy: string | undefined;
    try {
      policy = await values.evictionPolicy();
    } catch {
      // What was known holds until the server can be asked again.
      return;
    }
    const before = evicting;
    evicting = policy !== undefined;
    if (policy !== undefined && !before) onEviction(policy);
    changed(!evicting);
  }

  function schedule(ms: number): void {
    timer = setTimeout(async () => {
      const started = performance.now();
      const found = await beat();
      beats = (beats + 1) % BEATS_A_LOOK;
      if (beats === 0) void inspect();
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
    inspect,
    start: () => schedule(BEAT_MS),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
