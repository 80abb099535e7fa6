/** Memory under load over minutes: what grows without end shows as a difference between an early and a late look. */
import { OPERATIONS, type Operation, type Person } from './operations.ts';
import { family, rssMiB } from './process.ts';
import type { Server } from './server.ts';
import { type Load, prepareLoad } from './slice.ts';

export interface Soak {
  minutes: number;
  /** Resident MiB: the most in the second tenth of the time, when everything is warm, and in the last. */
  early: number;
  late: number;
}

const MIX = ['refresh with rotation', 'code flow, ES256', 'introspection', 'client credentials, opaque'];
const TENTHS = 10;

export async function soak(server: Server, people: Person[], minutes: number): Promise<Soak> {
  const loads: Load[] = [];
  for (const name of MIX) {
    loads.push(await prepareLoad(server, OPERATIONS.find((each) => each.name === name) as Operation, people));
  }
  const most: number[] = [];
  for (let tenth = 0; tenth < TENTHS; tenth += 1) most.push(await oneTenth(server, loads, minutes * 6));
  for (const load of loads) load.close();
  return { minutes, early: most[1] as number, late: most.at(-1) as number };
}

/** @returns the most memory that was seen, in MiB. */
async function oneTenth(server: Server, loads: Load[], seconds: number): Promise<number> {
  const slice = Math.min(5, seconds / loads.length);
  const end = performance.now() + seconds * 1000;
  let most = 0;
  while (performance.now() < end) {
    for (const load of loads) await load.run(slice);
    most = Math.max(most, rssMiB(family(server.pid)));
  }
  return most;
}
