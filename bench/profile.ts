/**
 * Where the processor time of an operation goes, ours beside the bare protocol core: samples of a CPU profile by the
 * part that was running. Shares are of the main thread's samples; microseconds are those shares of its processor time.
 */

import { type CallFrame, type CpuProfile, inspect } from './inspector.ts';
import type { Contender } from './matrix.ts';
import type { Operation } from './operations.ts';
import { cpuMs, threadCpuMs } from './process.ts';
import { prepareLoad } from './slice.ts';

export interface Profile {
  server: string;
  /** Microseconds of processor time a step: of the main thread, of the others. */
  mainUs: number;
  otherUs: number;
  /** Microseconds a step by part, and by function. */
  parts: Map<string, number>;
  functions: Map<string, number>;
}

export interface ProfileOptions {
  rounds: number;
  seconds: number;
  warmSeconds: number;
}

const PACKAGES: [RegExp, string][] = [
  [/^(oidc-provider|quick-lru|object-hash|nanoid|raw-body|bytes|eta)$/, 'protocol core'],
  [
    /^(koa.*|@koa\/.*|cookies|keygrip|co-body|accepts|negotiator|type-is|content-type|statuses|on-finished|fresh|vary|mime.*|content-disposition|http-.*|parseurl|destroy|encodeurl|escape-html|ee-first|depd|delegates|inherits|tsscmp)$/,
    'koa',
  ],
  [/^jose$/, 'crypto'],
  [/^(pino.*|sonic-boom|quick-format-unescaped|safe-stable-stringify|on-exit-leak-free|thread-stream)$/, 'log'],
  [/^better-sqlite3$/, 'SQLite'],
  [/^pg.*$/, 'pg'],
  [/^(ioredis|redis.*|@ioredis\/.*|denque|cluster-key-slot)$/, 'ioredis'],
];

/** Ours by folder; what a file does that another part is about is counted there. */
const FILES: [RegExp, string][] = [
  [/^src\/http\/(log|request-log|redact)\.ts$/, 'log'],
  [/^src\/ops\//, 'metrics'],
  [/^src\/keyring\//, 'ours: sealing'],
  [/^src\/([^/]+)\//, 'ours: $1'],
  [/^src\//, 'ours: wiring'],
  [/^bench\//, 'bench'],
];

const NODE: [RegExp, string][] = [
  [/^node:(internal\/)?crypto/, 'crypto'],
  [
    /^node:(internal\/)?(net|_http|http|stream|streams|tls|_stream)|^node:internal\/(stream|timers|js_stream)/,
    'HTTP and sockets',
  ],
  [/^node:(internal\/)?(async_hooks|async_local|process\/task_queues|process\/promises)/, 'promises and context'],
  [/^node:(internal\/)?(url|querystring)/, 'addresses'],
];

function partOf({ url, functionName }: CallFrame): string | undefined {
  if (url === '')
    return functionName === '(garbage collector)'
      ? 'GC'
      : functionName === '(program)'
        ? 'native, system calls'
        : undefined;
  if (url.startsWith('node:')) return NODE.find(([pattern]) => pattern.test(url))?.[1] ?? 'Node, other';
  const [, packageName] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
  if (packageName) return PACKAGES.find(([pattern]) => pattern.test(packageName))?.[1] ?? 'other packages';
  const file = url.replace(/^file:.*\/(?=(?:src|bench)\/)/, '');
  for (const [pattern, part] of FILES) {
    const match = pattern.exec(file);
    if (match) return part.replace('$1', match[1] ?? '');
  }
  return 'Node, other';
}

const nameOf = ({ url, functionName, lineNumber }: CallFrame) =>
  `${functionName || '(anonymous)'} ${url.replace(/^file:.*\/(?=src\/|bench\/|node_modules\/)/, '')}:${lineNumber + 1}`;

/** Counts the samples of each part and function: time between them may be somebody else's. Waiting counts nowhere. */
export function sumUp(profile: CpuProfile, parts: Map<string, number>, functions: Map<string, number>): void {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const known = new Map<number, { part: string; name: string } | undefined>();

  function placeOf(id: number): { part: string; name: string } | undefined {
    if (known.has(id)) return known.get(id);
    const frame = nodes.get(id)?.callFrame as CallFrame;
    const own = partOf(frame);
    let found: { part: string; name: string } | undefined;
    if (frame.functionName === '(idle)' || frame.functionName === '(root)') found = undefined;
    else if (own) found = { part: own, name: nameOf(frame) };
    else {
      // Built in: a part of who called it.
      const caller = placeOf(parents.get(id) as number);
      const part = caller?.part === 'ours: db' && /^(run|get|all)$/.test(frame.functionName) ? 'SQLite' : caller?.part;
      found = { part: part ?? 'native, system calls', name: `${frame.functionName} < ${caller?.name ?? '?'}` };
    }
    known.set(id, found);
    return found;
  }

  for (const id of profile.samples) {
    const place = placeOf(id);
    if (!place) continue;
    parts.set(place.part, (parts.get(place.part) ?? 0) + 1);
    functions.set(place.name, (functions.get(place.name) ?? 0) + 1);
  }
}

export async function profileOperation(
  operation: Operation,
  all: Contender[],
  { rounds, seconds, warmSeconds }: ProfileOptions,
): Promise<Profile[]> {
  const runs = [];
  for (const { server, people, bare } of all) {
    if (bare && operation.oursOnly) continue;
    const load = await prepareLoad(server, operation, people);
    await load.run(warmSeconds);
    runs.push({
      server,
      load,
      inspector: await inspect(server),
      parts: new Map(),
      functions: new Map(),
      steps: 0,
      main: 0,
      all: 0,
    });
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const run of runs) {
      const { pid } = run.server;
      await run.inspector.start();
      const before = [threadCpuMs(pid), cpuMs([pid])] as const;
      const { steps } = await run.load.run(seconds);
      run.main += threadCpuMs(pid) - before[0];
      run.all += cpuMs([pid]) - before[1];
      run.steps += steps;
      sumUp(await run.inspector.stop(), run.parts, run.functions);
    }
  }
  return runs.map(({ server, load, inspector, parts, functions, steps, main, all: total }) => {
    load.close();
    inspector.close();
    const mainUs = (main * 1000) / steps;
    const sampled = [...(parts as Map<string, number>).values()].reduce((sum, samples) => sum + samples, 0);
    const perStep = (found: Map<string, number>) =>
      new Map([...found].map(([name, samples]) => [name, (samples * mainUs) / sampled] as const));
    return {
      server: server.name,
      mainUs,
      otherUs: (total * 1000) / steps - mainUs,
      parts: perStep(parts),
      functions: perStep(functions),
    };
  });
}

/** A table of parts, the largest of the last server first. */
export function profileTable(profiles: Profile[]): string[][] {
  const names = new Set(profiles.flatMap(({ parts }) => [...parts.keys()]));
  const last = profiles.at(-1) as Profile;
  const sorted = [...names].sort((a, b) => (last.parts.get(b) ?? 0) - (last.parts.get(a) ?? 0));
  const cells = (of: (profile: Profile) => number | undefined) =>
    profiles.map((profile) => (of(profile) ?? 0).toFixed(1));
  return [
    ['', ...profiles.map(({ server }) => server)],
    ...sorted.map((name) => [name, ...cells(({ parts }) => parts.get(name))]),
    ['the main thread', ...cells(({ mainUs }) => mainUs)],
    ['other threads', ...cells(({ otherUs }) => otherUs)],
  ];
}

/** The functions in which the last server is longest above the first one, with both. */
export function longest(profiles: Profile[], count: number): string[] {
  const [first, last] = [profiles[0] as Profile, profiles.at(-1) as Profile];
  const before = (name: string) => (first === last ? 0 : (first.functions.get(name) ?? 0));
  return [...last.functions]
    .sort(([a, x], [b, y]) => y - before(b) - (x - before(a)))
    .slice(0, count)
    .map(([name, us]) => `${before(name).toFixed(1).padStart(7)} ${us.toFixed(1).padStart(7)}  ${name}`);
}
