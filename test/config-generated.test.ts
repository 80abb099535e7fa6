/** What is printed from the schemas is what the repository has; what development mode keeps is kept well. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { ensureDevelopmentSecrets } from '../src/config/development.ts';
import { ConfigError } from '../src/config/fault.ts';
import { envExample, generatedFiles } from '../src/config/generate.ts';
import { loadSettings } from '../src/config/settings.ts';
import { Variables } from '../src/config/variables.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'config-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

for (const [name, text] of Object.entries(await generatedFiles(root))) {
  test(`${name} is what npm run generate prints`, () => {
    assert.equal(readFileSync(join(root, name), 'utf8'), text);
  });
}

test('README has a table of every setting', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  for (const name of Object.keys(Variables.shape)) assert.ok(readme.includes(`| \`${name}\``), name);
});

test('.env.example as it is changes nothing, and every line of it can be taken as it is', () => {
  const load = (text: string) => loadSettings({ env: {}, cwd: '/', readFile: () => text }).settings;
  assert.deepEqual(load(envExample()), load(''));
  const names = Object.keys(parseEnv(envExample().replaceAll(/^#(?=LATCHKEY_)/gm, '')));
  assert.deepEqual(names.sort(), Object.keys(Variables.shape).sort());
  for (const line of envExample().match(/^#LATCHKEY_.*$/gm) ?? []) {
    const production = /ISSUER/.test(line) ? { LATCHKEY_SMTP_URL: 'smtps://mail', LATCHKEY_SECRET_KEY: 'x' } : {};
    const read = () => loadSettings({ env: production, cwd: '/', readFile: () => line.slice(1) });
    if (/ISSUER/.test(line)) assert.throws(read, /LATCHKEY_SECRET_KEY decodes/);
    else assert.deepEqual(read().warnings, [], line);
  }
});

test('secrets of development are made once, readable by nobody else, and the same at the next start', (t) => {
  const dataDir = join(folder(t), 'deep', 'data');
  const { secretKey } = ensureDevelopmentSecrets({ dataDir });
  assert.equal(secretKey.length, 32);
  assert.deepEqual(ensureDevelopmentSecrets({ dataDir }).secretKey, secretKey);
  assert.equal(statSync(join(dataDir, 'secrets.json')).mode & 0o777, 0o600);
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(dataDir), ['secrets.json']);
});

test('a file that others could read is closed to them', (t) => {
  const dataDir = folder(t);
  ensureDevelopmentSecrets({ dataDir });
  chmodSync(join(dataDir, 'secrets.json'), 0o644);
  ensureDevelopmentSecrets({ dataDir });
  assert.equal(statSync(join(dataDir, 'secrets.json')).mode & 0o777, 0o600);
});

test('processes that start at once on an empty folder agree on one key', async (t) => {
  const dataDir = join(folder(t), 'data');
  const source = `
    import { ensureDevelopmentSecrets } from ${JSON.stringify(join(root, 'src/config/development.ts'))};
    await new Promise((resolve) => process.stdin.once('data', resolve));
    console.log(ensureDevelopmentSecrets({ dataDir: ${JSON.stringify(dataDir)} }).secretKey.toString('base64'));
    process.exit(0);`;
  const starters = Array.from({ length: 6 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', `console.log('ready');${source}`]);
    t.after(() => child.kill('SIGKILL'));
    return child;
  });
  await Promise.all(starters.map(({ stdout }) => once(stdout, 'data')));
  const answers = starters.map(({ stdout }) => once(stdout, 'data'));
  for (const { stdin } of starters) stdin.write('go\n');
  const keys = (await Promise.all(answers)).map(([data]) => String(data).trim());
  assert.equal(new Set(keys).size, 1);
  assert.equal(Buffer.from(keys[0] ?? '', 'base64').length, 32);
  assert.deepEqual(readdirSync(dataDir), ['secrets.json']);
});

test('a garbled file is a fault and stays as it is; it is never made anew', (t) => {
  const dataDir = folder(t);
  const path = join(dataDir, 'secrets.json');
  for (const text of ['', '{', '{}', '{"secret_key": 7}', '{"secret_key": "aGlkZGVuLXdvcmQ="}']) {
    writeFileSync(path, text);
    assert.throws(
      () => ensureDevelopmentSecrets({ dataDir }),
      (error) => error instanceof ConfigError && error.exitCode === 78 && !error.message.includes('aGlkZGVu'),
      text,
    );
    assert.equal(readFileSync(path, 'utf8'), text);
  }
});

test('a folder that can not hold the file is a fault in one sentence', (t) => {
  const file = join(folder(t), 'file');
  writeFileSync(file, '');
  assert.throws(
    () => ensureDevelopmentSecrets({ dataDir: join(file, 'data') }),
    /secrets\.json can't be (read|written)/,
  );
  const taken = folder(t);
  mkdirSync(join(taken, 'secrets.json'));
  assert.throws(() => ensureDevelopmentSecrets({ dataDir: taken }), /secrets\.json can't be read \(it is a folder\)/);
  assert.ok(existsSync(taken));
});
