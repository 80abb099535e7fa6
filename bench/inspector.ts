/** Takes CPU profiles of a running server through Node's inspector: of a stretch of load and of nothing before it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Server } from './server.ts';

/** What a server is started with so that it can be asked; on a free port of this machine alone. */
export const INSPECTED = ['--inspect=127.0.0.1:0'];
const SAMPLE_US = 200;

export interface CallFrame {
  functionName: string;
  url: string;
  scriptId: string;
  lineNumber: number;
}

export interface CpuProfile {
  nodes: { id: number; callFrame: CallFrame; children?: number[] }[];
  samples: number[];
}

export interface Inspector {
  start(): Promise<void>;
  stop(): Promise<CpuProfile>;
  close(): void;
}

export async function inspect({ dataDir }: Pick<Server, 'dataDir'>): Promise<Inspector> {
  const address = /ws:\/\/127\.0\.0\.1:\S+/.exec(readFileSync(join(dataDir, 'server.log'), 'utf8'))?.[0];
  if (!address) throw new Error('the server was not started with an inspector');
  const socket = new WebSocket(address);
  const waiting = new Map<number, (result: never) => void>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result, method, params } = JSON.parse(String(data));
    if (method === 'Debugger.scriptParsed') scripts.set(params.scriptId, params.url);
    waiting.get(id)?.(result as never);
    waiting.delete(id);
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error('the inspector does not answer')));
  });
  const scripts = new Map<string, string>();
  let last = 0;
  const ask = <Result>(method: string, params: object = {}): Promise<Result> =>
    new Promise((resolve) => {
      last += 1;
      waiting.set(last, resolve);
      socket.send(JSON.stringify({ id: last, method, params }));
    });

  // A profile does not name the scripts whose types were stripped; their list does. The debugger itself would cost time.
  await ask('Debugger.enable');
  await ask('Debugger.disable');
  await ask('Profiler.enable');
  await ask('Profiler.setSamplingInterval', { interval: SAMPLE_US });
  return {
    start: () => ask('Profiler.start'),
    async stop() {
      const { profile } = await ask<{ profile: CpuProfile }>('Profiler.stop');
      for (const { callFrame } of profile.nodes) callFrame.url ||= scripts.get(callFrame.scriptId) ?? '';
      return profile;
    },
    close: () => socket.close(),
  };
}
