/** The launcher: Node 24 for every script, whatever Node the machine has, from any folder. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const launcher = join(root, 'bin', 'node.js');
/** Makes the Node that runs the tests say another version of itself. */
const saysVersion = (version: string) => [
  `--import=data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'${version}'}})`,
];

/** Ways to start the launcher: the Node of the tests replaces itself; another one starts the shipped runtime. */
const hosts = {
  'Node 24': [process.execPath],
  'an older Node': [process.execPath, ...saysVersion('20.1.0')],
  'a newer Node': [process.execPath, ...saysVersion('26.3.0')],
  'Node 24 before its long-term support': [process.execPath, ...saysVersion('24.3.0')],
  'the Node of this machine': ['node'],
};

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'launcher-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function script(t: TestContext, source: string): string {
  const path = join(folder(t), 'script.ts');
  writeFileSync(path, source);
  return path;
}

/** Starts a script that prints a line when it is ready. */
async function running(t: TestContext, host: string[], source: string): Promise<ChildProcess> {
  const [command = '', ...flags] = host;
  const child = spawn(command, [...flags, launcher, script(t, source)], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

for (const [name, [command = '', ...flags]] of Object.entries(hosts)) {
  const run = (...args: string[]) =>
    spawnSync(command, [...flags, launcher, ...args], { encoding: 'utf8', cwd: tmpdir(), input: 'typed' });

  test(`under ${name} TypeScript runs on Node 24 without a warning, with its arguments and input`, (t) => {
    const path = script(
      t,
      `const words: string[] = process.argv.slice(2);
       process.stdin.on('data', (data) => console.log(process.versions.node.split('.')[0], ...words, String(data)));`,
    );
    const { stdout, stderr, status } = run(path, 'one', '--two=3');
    assert.deepEqual({ stdout, stderr, status }, { stdout: '24 one --two=3 typed\n', stderr: '', status: 0 });
  });

  test(`under ${name} the exit code comes back, and flags before the script reach Node`, () => {
    assert.equal(run('--eval', 'process.exit(41)').status, 41);
    assert.match(run('--eval', 'process.abort()').signal ?? '', /SIGABRT/);
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    test(`under ${name} ${signal} arrives once, and what the script makes of it is the end`, async (t) => {
      const child = await running(
        t,
        [command, ...flags],
        `let count = 0;
         process.on('${signal}', () => { count += 1; setTimeout(() => process.exit(20 + count), 100); });
         setInterval(() => {}, 1000);
         console.log('ready');`,
      );
      child.kill(signal);
      assert.deepEqual(await once(child, 'exit'), [21, null]);
    });
  }

  test(`under ${name} a script that a signal ends is reported as such`, async (t) => {
    const child = await running(t, [command, ...flags], `setInterval(() => {}, 1000); console.log('ready');`);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGTERM']);
  });
}

test('without a runtime it says so in one sentence and ends with 78', (t) => {
  const project = folder(t);
  cpSync(join(root, 'bin'), join(project, 'bin'), { recursive: true });
  cpSync(join(root, 'package.json'), join(project, 'package.json'));
  const args = [...saysVersion('20.1.0'), join(project, 'bin', 'latchkey.js'), 'serve'];
  const { stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 78);
  assert.match(stderr, /^Latchkey needs Node 24 .*: this is 20\.1\.0.*\n$/);
});

test('a runtime that can not be executed here is no crash either', (t) => {
  const project = folder(t);
  cpSync(join(root, 'bin'), join(project, 'bin'), { recursive: true });
  cpSync(join(root, 'package.json'), join(project, 'package.json'));
  const shipped = join(project, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  cpSync('/bin/true', shipped);
  // What a system without glibc says of a binary that wants it: the interpreter is missing.
  writeFileSync(shipped, '#!/lib/ld-that-is-not-here\n');
  const args = [...saysVersion('20.1.0'), join(project, 'bin', 'latchkey.js')];
  const { stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 78);
  assert.match(stderr, /does not start \(ENOENT\)/);
});

test('the command works through a link from another folder', (t) => {
  const project = folder(t);
  cpSync(join(root, 'bin'), join(project, 'bin'), { recursive: true });
  cpSync(join(root, 'package.json'), join(project, 'package.json'));
  cpSync(script(t, 'console.log(import.meta.url, ...process.argv.slice(2));'), join(project, 'src', 'main.ts'));
  const link = join(folder(t), 'latchkey');
  symlinkSync(join(project, 'bin', 'latchkey.js'), link);
  const { stdout } = spawnSync(link, ['users', 'list'], {
    encoding: 'utf8',
    cwd: tmpdir(),
    env: { PATH: `${join(process.execPath, '..')}:/usr/bin:/bin` },
  });
  assert.equal(stdout, `file://${join(project, 'src', 'main.ts')} users list\n`);
});

test('compiled code is kept in the project, unless somebody says where', (t) => {
  const print = ['--print', 'process.env.NODE_COMPILE_CACHE'];
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const run = (extra: object) =>
    spawnSync(process.execPath, [launcher, ...print], { encoding: 'utf8', env: { ...env, ...extra } }).stdout.trim();
  assert.equal(run({}), join(root, 'node_modules', '.cache', 'latchkey'));
  const elsewhere = folder(t);
  assert.equal(run({ NODE_COMPILE_CACHE: elsewhere }), elsewhere);
});
