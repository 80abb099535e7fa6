/** Load at a given pace, whatever the server does: so many steps a second, each begun when it is due. */
import { OPERATIONS, type Person } from './operations.ts';
import type { Server } from './server.ts';
import { at } from './slice.ts';
import { createWire, type Wire } from './wire.ts';

/** Connections of one stream; a step that finds none free waits, and its wait counts. */
const CONNECTIONS = 32;

export interface Stream {
  operation: string;
  perSecond: number;
}

export interface Paced extends Stream {
  /** Steps a second that succeeded. */
  rate: number;
  failed: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
}

/** The streams run at the same time. */
export async function runPaced(server: Server, people: Person[], streams: Stream[], seconds: number): Promise<Paced[]> {
  const wires: Wire[] = [];
  try {
    const prepared = [];
    for (const stream of streams) prepared.push({ stream, steps: await stepsOf(stream, server, people, wires) });
    return await Promise.all(prepared.map(({ stream, steps }) => runStream(stream, steps, seconds)));
  } finally {
    for (const wire of wires) wire.close();
  }
}

async function stepsOf({ operation: name }: Stream, { origin }: Server, people: Person[], wires: Wire[]) {
  const operation = OPERATIONS.find((each) => each.name === name);
  if (!operation) throw new Error(`no operation is called ${name}`);
  const steps: (() => Promise<void>)[] = [];
  for (let n = 0; n < CONNECTIONS; n += 1) {
    const wire = createWire(origin);
    wires.push(wire);
    steps.push(await operation.prepare({ origin, wire, person: people[n % people.length] as Person }));
  }
  return steps;
}

async function runStream(stream: Stream, steps: (() => Promise<void>)[], seconds: number): Promise<Paced> {
  const free = [...steps];
  const waiting: ((step: () => Promise<void>) => void)[] = [];
  const latencies: number[] = [];
  let failed = 0;

  const take = () =>
    new Promise<() => Promise<void>>((resolve) => {
      const step = free.pop();
      if (step) resolve(step);
      else waiting.push(resolve);
    });

  async function one(): Promise<void> {
    const from = performance.now();
    const step = await take();
    try {
      await step();
      latencies.push(performance.now() - from);
    } catch {
      failed += 1;
    }
    const next = waiting.shift();
    if (next) next(step);
    else free.push(step);
  }

  const begun = performance.now();
  const all: Promise<void>[] = [];
  for (let n = 0; n < stream.perSecond * seconds; n += 1) {
    const pause = begun + (n * 1000) / stream.perSecond - performance.now();
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    all.push(one());
  }
  await Promise.all(all);
  const elapsed = (performance.now() - begun) / 1000;
  latencies.sort((a, b) => a - b);
  return { ...stream, rate: latencies.length / elapsed, failed, p50: at(latencies, 0.5), p99: at(latencies, 0.99) };
}
