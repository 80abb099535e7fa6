/** A real Redis for one test, on a free port, gone with it; what can happen to one, done to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { freePort } from './ports.ts';

export interface TestRedis {
  url: string;
  port: number;
  pid: number;
  /** kill -9. */
  kill(): Promise<void>;
  /** SIGSTOP: it takes connections and bytes and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** A new process on the same port, with nothing in it. */
  restart(): Promise<void>;
  /** One command, by a connection of its own; resolves with the answer's bytes as text. */
  command(...words: string[]): Promise<string>;
  /** The same for an answer of any length. */
  whole(...words: string[]): Promise<string>;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const server of running) server.kill('SIGKILL');
});

/** A certificate and its key, and the authority that signed it when it did not do so itself. */
export interface RedisTls {
  cert: string;
  key: string;
  ca?: string;
}

/** @param tls then it speaks nothing but TLS. */
export async function startRedis({
  settings = [] as string[],
  tls,
}: {
  settings?: string[];
  tls?: RedisTls;
} = {}): Promise<TestRedis> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-redis-'));
  const plain = tls ? ['--port', '0', '--tls-port', String(port), ...tlsFiles(dir, tls)] : ['--port', String(port)];
  const base = [...plain, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', dir];
  let server = await launch();

  async function launch(): Promise<ChildProcess> {
    const policy = ['--maxmemory-policy', 'noeviction', '--repl-diskless-sync-delay', '0'];
    const child = spawn('redis-server', [...base, ...policy, ...settings], { stdio: 'ignore' });
    running.add(child);
    await answering(port);
    return child;
  }

  async function kill(): Promise<void> {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
    running.delete(server);
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: server.pid as number,
    kill,
    freeze: () => void server.kill('SIGSTOP'),
    thaw: () => void server.kill('SIGCONT'),
    async restart() {
      await kill();
      server = await launch();
    },
    command: (...words) => command(port, words, tls !== undefined),
    whole: (...words) => whole(port, words),
    async stop() {
      await kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export function tlsFiles(dir: string, { cert, key, ca = cert }: RedisTls): string[] {
  const files = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem'), ca: join(dir, 'ca.pem') };
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  writeFileSync(files.ca, ca);
  return [
    '--tls-cert-file',
    files.cert,
    '--tls-key-file',
    files.key,
    '--tls-auth-clients',
    'no',
    '--tls-ca-cert-file',
    files.ca,
  ];
}

export async function command(port: number, words: string[], tls = false): Promise<string> {
  // The test itself trusts whatever listens there.
  const socket = tls ? connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }) : connect(port, '127.0.0.1');
  socket.setTimeout(5000, () => socket.destroy(new Error(`redis did not answer ${words[0]}`)));
  socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
  // A connection that was closed without a word would be waited for for ever.
  socket.once('close', () => socket.emit('error', new Error(`redis hung up on ${words[0]}`)));
  try {
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    return bytes.toString();
  } finally {
    socket.on('error', () => {}).destroy();
  }
}

/** Asks for the end of the connection behind the command, and reads until it comes. */
async function whole(port: number, words: string[]): Promise<string> {
  const said = (...each: string[]) =>
    `*${each.length}\r\n${each.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
  const socket = connect(port, '127.0.0.1');
  socket.setTimeout(5000, () => socket.destroy(new Error(`redis did not answer ${words[0]}`)));
  socket.write(said(...words) + said('QUIT'));
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return Buffer.concat(parts)
    .toString('latin1')
    .replace(/\+OK\r\n$/, '');
}

export async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('redis-server did not start');
}
