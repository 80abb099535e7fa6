/** The machine and the versions under a measurement, so that a figure can be judged later. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { hash } from 'argon2';

/** Writes of 4 KiB, each forced to the disk, in a second: what durable commits depend on. */
export function fsyncRate(folder: string, seconds = 1): number {
  const dir = mkdtempSync(join(folder, 'latchkey-fsync-'));
  const file = openSync(join(dir, 'probe'), 'w');
  const block = Buffer.alloc(4096, 1);
  const begun = performance.now();
  let count = 0;
  try {
    while (performance.now() - begun < seconds * 1000) {
      writeSync(file, block);
      fdatasyncSync(file);
      count += 1;
    }
    return (count * 1000) / (performance.now() - begun);
  } finally {
    closeSync(file);
    rmSync(dir, { recursive: true, force: true });
  }
}

export function describeMachine(): string {
  const memory = Math.round(totalmem() / 1024 ** 3);
  return `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}, ${memory} GiB, Linux ${release()}`;
}

export function versions(): string {
  const of = (name: string) =>
    JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version;
  const packages = ['oidc-provider', 'koa', 'better-sqlite3', 'pg', 'ioredis', 'argon2'];
  return [`Node ${process.versions.node}`, ...packages.map((name) => `${name} ${of(name)}`)].join(', ');
}

/** Argon2id hashes a second: as many at a time as there are cores, with the cost that an installation has by default. */
export async function hashesPerSecond(): Promise<number> {
  const begun = performance.now();
  let count = 0;
  const worker = async () => {
    while (performance.now() - begun < 3000) {
      await hash('four quiet herons waiting', { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return (count * 1000) / (performance.now() - begun);
}
