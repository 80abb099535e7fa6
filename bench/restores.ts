/**
 * What `latchkey restore` costs, by how many people are signed in:
 *
 *     node bin/node.js bench/restores.ts [PEOPLE …]
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Sqlite from 'better-sqlite3';
import pino from 'pino';
import { NO_CONFIG_FILE } from '../src/config/file.ts';
import { createRestoring } from '../src/restoring.ts';
import { fill } from './crowd.ts';
import { withServices } from './people.ts';
import { startLatchkey } from './server.ts';

const { positionals } = parseArgs({ allowPositionals: true });
for (const people of positionals.length > 0 ? positionals.map(Number) : [10_000, 20_000, 50_000]) await measure(people);

async function measure(people: number): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-restores-'));
  try {
    const server = await startLatchkey({ name: 'to be restored', dataDir });
    await server.stop();
    const backup = join(dataDir, 'latchkey.db');
    const settings = await withServices(server, {}, async ({ keyring, settings: used }) => {
      const connection = new Sqlite(backup, { timeout: 60_000 });
      try {
        fill(connection, keyring, people);
      } finally {
        connection.close();
      }
      return used;
    });
    const restoring = createRestoring({
      settings: { ...settings, dataDir: join(dataDir, 'restored') },
      file: NO_CONFIG_FILE,
      log: pino({ level: 'silent' }),
    });
    const [begun, before] = [performance.now(), process.cpuUsage()];
    const restored = await restoring.from(backup);
    const { user, system } = process.cpuUsage(before);
    const ms = performance.now() - begun;
    const words = [
      `${restored.people} people, ${Math.round(statSync(backup).size / 2 ** 20)} MiB`,
      `${((user + system) / 1e6).toFixed(1)} s of processor time (${(system / 1e6).toFixed(1)} in the kernel)`,
      `${(ms / 1000).toFixed(1)} s`,
      `${Math.round((user + system) / restored.people)} µs for each`,
      `at most ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
    ];
    process.stdout.write(`${words.join(', ')}\n`);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}
