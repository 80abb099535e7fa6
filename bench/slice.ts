/** One slice of load on one server: so many connections, so long, each step after the other. */
import type { Operation, Person } from './operations.ts';
import { cpuMs, family, rssMiB } from './process.ts';
import type { Server } from './server.ts';
import { createWire } from './wire.ts';

export const CONNECTIONS = 16;

export interface Slice {
  /** Steps a second. */
  rate: number;
  /** Microseconds of processor time of the server's processes for each step. */
  cpuUs: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  rssMiB: number;
  /** How many there were. */
  steps: number;
}

export interface Load {
  run(seconds: number): Promise<Slice>;
  close(): void;
}

/** Prepares the connections: signs in, gets tokens. */
export async function prepareLoad(server: Server, operation: Operation, people: Person[]): Promise<Load> {
  const instances = [server, ...(server.beside ? [server.beside] : [])];
  const wires = Array.from({ length: CONNECTIONS }, (_each, n) =>
    createWire(server.origin, instances[n % instances.length]?.origin),
  );
  const steps: (() => Promise<void>)[] = [];
  for (const [index, wire] of wires.entries()) {
    const person = people[index % people.length] as Person;
    steps.push(await operation.prepare({ origin: server.origin, wire, person }));
  }
  return {
    run: (seconds) => runSlice(server, steps, seconds),
    close: () => {
      for (const wire of wires) wire.close();
    },
  };
}

async function runSlice(server: Server, steps: (() => Promise<void>)[], seconds: number): Promise<Slice> {
  const pids = [...family(server.pid), ...(server.beside ? family(server.beside.pid) : [])];
  const latencies: number[] = [];
  const begun = performance.now();
  const cpuBefore = cpuMs(pids);
  const deadline = begun + seconds * 1000;
  await Promise.all(
    steps.map(async (step) => {
      for (let from = performance.now(); from < deadline; ) {
        await step();
        const to = performance.now();
        latencies.push(to - from);
        from = to;
      }
    }),
  );
  const cpu = cpuMs(pids) - cpuBefore;
  const elapsed = (performance.now() - begun) / 1000;
  latencies.sort((a, b) => a - b);
  return {
    rate: latencies.length / elapsed,
    cpuUs: (cpu * 1000) / latencies.length,
    p50: at(latencies, 0.5),
    p99: at(latencies, 0.99),
    rssMiB: rssMiB(pids),
    steps: latencies.length,
  };
}

/** The value below which that part of the sorted ones lies. */
export function at(sorted: number[], part: number): number {
  return sorted[Math.floor((sorted.length - 1) * part)] ?? 0;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
