/** Several processes on one machine behind one port (`LATCHKEY_WORKERS`): one primary that starts and ends them, and
 * replaces one that dies. All state is in the database; what a worker keeps in memory is only cache. */
import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';

/** This many deaths within the span mean that starting again will not help. */
const TOO_MANY = { deaths: 10, spanMs: 20_000 };
const PAUSE_MS = 300;

export const isWorker: boolean = cluster.isWorker;
/** Counted from 1 in the order of the starts; undefined in a process that serves alone. */
export const workerNumber: number | undefined = cluster.worker?.id;

export interface Supervision {
  /** Resolves when the first worker listens. */
  ready: Promise<void>;
  /** Resolves with an exit code when every worker has ended. */
  ended: Promise<number>;
  /** Asks every worker to stop as a process is asked; a second call is passed on, too. */
  stop(signal: NodeJS.Signals): void;
}

export function supervise({ count, log }: { count: number; log: Logger }): Supervision {
  const deaths: number[] = [];
  let stopping = false;
  let exitCode = 0;
  let listening = () => {};
  let finished = (_code: number) => {};
  const ready = new Promise<void>((resolve) => {
    listening = resolve;
  });
  const ended = new Promise<number>((resolve) => {
    finished = resolve;
  });

  const living = () => Object.values(cluster.workers ?? {}).filter((worker): worker is Worker => worker !== undefined);

  cluster.on('listening', () => listening());
  cluster.on('exit', (worker, code, signal) => {
    if (stopping) {
      exitCode ||= code ?? 0;
      if (living().length === 0) finished(exitCode);
      return;
    }
    const now = Date.now();
    deaths.push(now);
    log.error({ pid: worker.process.pid, exit_code: code, signal }, 'a worker ended unexpectedly');
    if (deaths.filter((at) => at > now - TOO_MANY.spanMs).length >= TOO_MANY.deaths) {
      exitCode = code || 70;
      stop('SIGTERM');
      return;
    }
    setTimeout(() => {
      if (!stopping) cluster.fork();
    }, PAUSE_MS);
  });
  for (let n = 0; n < count; n += 1) cluster.fork();

  function stop(signal: NodeJS.Signals): void {
    stopping = true;
    for (const worker of living()) worker.process.kill(signal);
    // All may have died a moment ago, and nobody is there whose end could be waited for.
    if (living().length === 0) finished(exitCode);
  }

  return { ready, ended, stop };
}
