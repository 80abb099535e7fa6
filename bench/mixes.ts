/** What one kind of work does to another: tokens beside password sign-ins, and the mix that Keycloak measures. */
import { OPERATIONS, type Operation, type Person } from './operations.ts';
import { type Paced, runPaced } from './paced.ts';
import type { Server } from './server.ts';
import { prepareLoad } from './slice.ts';

export interface Mixes {
  /** The token endpoint alone, then beside password sign-ins. */
  quiet: Paced;
  beside: [tokens: Paced, signIns: Paced];
  keycloak: [signIns: Paced, refreshes: Paced];
  /** Milliseconds: the 99th percentile of the event loop's delay while all connections refresh. */
  loopDelay: number;
}

const TOKENS = { operation: 'client credentials, opaque', perSecond: 100 };
const SIGN_INS = { operation: 'password sign-in', perSecond: 20 };
/** One sign-in to five refreshes. */
const KEYCLOAK = [
  { operation: 'password sign-in', perSecond: 60 },
  { operation: 'refresh with rotation', perSecond: 300 },
];

export async function measureMixes(server: Server, people: Person[], seconds: number): Promise<Mixes> {
  const [quiet] = await runPaced(server, people, [TOKENS], seconds);
  const beside = await runPaced(server, people, [TOKENS, SIGN_INS], seconds);
  const keycloak = await runPaced(server, people, KEYCLOAK, seconds);
  return {
    quiet: quiet as Paced,
    beside: beside as Mixes['beside'],
    keycloak: keycloak as Mixes['keycloak'],
    loopDelay: await loopDelay(server, people, seconds),
  };
}

async function loopDelay(server: Server, people: Person[], seconds: number): Promise<number> {
  const refresh = OPERATIONS.find(({ name }) => name === 'refresh with rotation') as Operation;
  const load = await prepareLoad(server, refresh, people);
  await load.run(seconds / 2);
  // The delay is that since it was last asked for.
  await delayOf(server);
  await load.run(seconds / 2);
  load.close();
  return delayOf(server);
}

/** As Node measures it, with a timer of 10 ms: what it says is an upper bound. */
async function delayOf({ origin }: Server): Promise<number> {
  const text = await (await fetch(`${origin}/metrics`)).text();
  const found = /^nodejs_eventloop_lag_p99_seconds(?:\{[^}]*\})? (\S+)$/m.exec(text);
  if (!found) throw new Error('the metrics do not tell the delay of the event loop');
  return Number(found[1]) * 1000;
}
