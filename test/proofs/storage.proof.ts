/** What can happen to the file of the embedded database: another process's lock, a full disk, damage, absence. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { powerLine } from '../support/power-loss.ts';
import { type Answered, judged, newUsers, startTraffic, type Users, wrongOf } from '../support/traffic.ts';
import { type Proof, pause, quantile, until } from './proof.ts';

const launcher = fileURLToPath(new URL('../../bin/latchkey.js', import.meta.url));
const HOLD_LOCK = `
  const Sqlite = require('better-sqlite3');
  const held = new Sqlite(process.argv[1]);
  held.exec('BEGIN IMMEDIATE');
  console.log('locked');
  setInterval(() => held.open, 1000);
`;

const locked: Proof<{ seconds: number }> = {
  fault: 'SQLite locked by another process',
  promise: 'writes are told to come again, reads go on, the loop stands still for 300 ms at most, and it recovers',
  few: { seconds: 3 },
  full: { seconds: 30 },

  async run(t, { seconds }) {
    const issuer = await startIssuer(t);
    const traffic = await startTraffic(t, issuer);
    const file = join(issuer.dataDir, 'latchkey.db');
    const holder = spawn(process.execPath, ['-e', HOLD_LOCK, file], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => holder.kill('SIGKILL'));
    await once(holder.stdout, 'data');
    const from = traffic.answers.length;
    const gaps: number[] = [];
    for (const end = performance.now() + seconds * 1000; performance.now() < end; await pause(10)) {
      const started = performance.now();
      await (await fetch(`${issuer.url}/livez`)).arrayBuffer();
      gaps.push(performance.now() - started);
    }
    assert.equal((await fetch(`${issuer.url}/readyz`)).status, 503, 'not ready while nothing can be written');
    const during = traffic.answers.slice(from);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const back = await recovered(issuer, traffic.answers);
    await traffic.stop();
    assert.deepEqual(wrongOf(traffic.answers), []);
    const away = during.filter((answer) => judged(answer) === 'away').length;
    assert.ok(away > 0, 'the lock was felt');
    assert.ok(
      during.some(({ what, status }) => what === 'userinfo' && status === 200),
      'reads go on',
    );
    assert.ok(Math.max(...gaps) <= 300, `the loop stood still for ${Math.max(...gaps)} ms`);
    assert.match(issuer.output(), /database is locked/);
    return `${away} writes told to come again, 0 wrong; longest gap ${Math.round(Math.max(...gaps))} ms, p99 ${Math.round(quantile(gaps, 0.99))} ms; back after ${Math.round(back)} ms`;
  },
};

/** A limit on the size of files, set on the running process, refuses what a full disk refuses; it needs no rights. */
const full: Proof<{ rounds: number }> = {
  fault: 'disk full, or a file that can not be written',
  promise: 'a clear 503 and a log line, no 2xx without a row, recovers without a restart',
  few: { rounds: 1 },
  full: { rounds: 20 },

  async run(t, { rounds }) {
    const issuer = await startIssuer(t);
    const traffic = await startTraffic(t, issuer);
    const { pid } = JSON.parse(
      issuer
        .output()
        .split('\n')
        .find((line) => line.includes('"listening"')) as string,
    );
    const limit = (bytes: string) => execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`]);
    const back: number[] = [];
    let away = 0;
    for (let round = 0; round < rounds; round += 1) {
      const from = traffic.answers.length;
      limit('4096');
      await until('not ready', async () => (await fetch(`${issuer.url}/readyz`)).status === 503, 5000);
      await pause(500);
      limit('unlimited');
      back.push(await recovered(issuer, traffic.answers));
      away += traffic.answers.slice(from).filter((answer) => judged(answer) === 'away').length;
    }
    await traffic.stop();
    assert.deepEqual(wrongOf(traffic.answers), []);
    assert.ok(away > 0, 'the fault was felt');
    assert.match(issuer.output(), /disk I\/O error|database or disk is full/);
    integrity(join(issuer.dataDir, 'latchkey.db'));
    return `${away} requests told to come again, 0 wrong; back after ${Math.round(Math.max(...back))} ms at most; integrity ok`;
  },
};

const failing: Proof<{ rounds: number }> = {
  fault: 'a disk that takes what is written and fails to keep it (an error of fdatasync)',
  promise:
    'a clear 503 and a log line, reads go on, recovers without a restart, and a loss of power takes nothing back',
  few: { rounds: 1 },
  full: { rounds: 10 },

  async run(t, { rounds }) {
    const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-failing-'));
    t.after(() => rmSync(dataDir, { recursive: true, force: true }));
    const file = join(dataDir, 'latchkey.db');
    const line = powerLine(t, file);
    const issuer = { ...(await startIssuer(t, { env: { ...line.env, LATCHKEY_DATA_DIR: dataDir } })), dataDir };
    const users = await newUsers(issuer);
    const service = await issuer.createClient({ grant_types: ['client_credentials'], response_types: [] });
    await issuer.stop();
    line.on();
    await issuer.start();
    const traffic = await startTraffic(t, issuer, { users });
    const back: number[] = [];
    let away = 0;
    const revoke = (token: unknown) => asClient(issuer, service, '/oauth2/revoke', `token=${token}`);
    for (let round = 0; round < rounds; round += 1) {
      const from = traffic.answers.length;
      const { access_token: doomed } = await asClient(
        issuer,
        service,
        '/oauth2/token',
        'grant_type=client_credentials',
      );
      line.fail(true);
      await until('not ready', async () => (await fetch(`${issuer.url}/readyz`)).status === 503, 5000);
      for (let tries = 0; tries < 3; tries += 1) {
        assert.equal((await revoke(doomed))['error'], 'temporarily_unavailable', 'nothing is said to be done');
      }
      await pause(500);
      line.fail(false);
      back.push(await recovered(issuer, traffic.answers));
      away += traffic.answers.slice(from).filter((answer) => judged(answer) === 'away').length;
    }
    await traffic.stop();
    assert.deepEqual(wrongOf(traffic.answers), []);
    assert.ok(away > 0, 'the fault was felt');
    assert.match(issuer.output(), /disk I\/O error/);
    const { access_token: token } = await asClient(issuer, service, '/oauth2/token', 'grant_type=client_credentials');
    assert.ok(token, 'the application gets a token');
    await issuer.stop('SIGKILL');
    line.off('nothing');
    integrity(file);
    await issuer.start();
    const { active } = await asClient(issuer, service, '/oauth2/introspect', `token=${token}`);
    assert.equal(active, true, 'what was acknowledged after the fault is there');
    return `${away} requests told to come again, 0 wrong; back after ${Math.round(Math.max(...back))} ms at most; integrity ok`;
  },
};

const damaged: Proof<{ kinds: number }> = {
  fault: 'a damaged, foreign, missing or empty database at the start',
  promise: 'the start ends with one clear line, and never makes a new database over a configured one',
  few: { kinds: 5 },
  full: { kinds: 5 },

  async run(t) {
    const issuer = await startIssuer(t);
    await issuer.stop();
    const secret = JSON.parse(readFileSync(join(issuer.dataDir, 'secrets.json'), 'utf8')).secret_key as string;
    const damages: Record<string, { spoil(file: string): void; says: RegExp }> = {
      'a page overwritten': { spoil: (file) => overwrite(file, 3 * 4096), says: /is damaged .*Restore a backup/ },
      truncated: { spoil: (file) => truncateSync(file, 5 * 4096), says: /is damaged .*Restore a backup/ },
      'not a database': { spoil: (file) => writeFileSync(file, 'Dear diary, '.repeat(1000)), says: /not a database/ },
      missing: { spoil: (file) => rmSync(file), says: /There is no database at .*restore a backup/ },
      empty: { spoil: (file) => truncateSync(file, 0), says: /There is no database at/ },
    };
    const said: string[] = [];
    for (const [name, { spoil, says }] of Object.entries(damages)) {
      const dir = copyOf(t, issuer.dataDir);
      const file = join(dir, 'latchkey.db');
      spoil(file);
      const before = existsSync(file) ? readFileSync(file) : undefined;
      const { code, text } = await startInProduction(issuer, dir, secret);
      assert.ok(code !== 0 && code !== null, `${name}: ${code}`);
      const lines = text.trim().split('\n');
      assert.equal(lines.length, 1, `${name}: ${text}`);
      assert.match(lines[0] as string, says, name);
      assert.equal(existsSync(file), before !== undefined, `${name}: no file is made`);
      if (before) assert.deepEqual(readFileSync(file), before, `${name}: the file is left as it was`);
      said.push(name);
    }
    await developmentWarns(t, issuer);
    return `${said.join(', ')}: each refused in one line`;
  },
};

async function startInProduction(issuer: Issuer, dir: string, secret: string) {
  const { LATCHKEY_ARGON2_MEMORY_KIB: _cheap, LATCHKEY_ARGON2_PASSES: _fast, ...given } = issuer.env;
  const env = {
    ...given,
    LATCHKEY_DATA_DIR: dir,
    LATCHKEY_ISSUER: 'https://id.example.com',
    LATCHKEY_SECRET_KEY: secret,
    LATCHKEY_SMTP_URL: 'smtp://127.0.0.1:1',
    LATCHKEY_MAIL_FROM: 'id@example.com',
    LATCHKEY_LOG_LEVEL: 'error',
  };
  const child = spawn(process.execPath, [launcher, 'serve'], { env, cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const [code] = await once(child, 'close');
  clearTimeout(timer);
  return { code: code as number | null, text };
}

async function developmentWarns(t: TestContext, issuer: Issuer): Promise<void> {
  const gone = join(issuer.dataDir, 'latchkey.db');
  copyFileSync(gone, `${gone}.kept`);
  rmSync(gone);
  await issuer.start();
  t.after(() => issuer.stop());
  assert.match(issuer.output(), /secrets beside .* are of an earlier start, but the database is gone/);
}

function copyOf(t: TestContext, dataDir: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-damaged-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  cpSync(join(dataDir, 'latchkey.db'), join(dir, 'latchkey.db'));
  return dir;
}

function overwrite(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0xaa, at, at + 4096);
  writeFileSync(file, bytes);
}

async function recovered(issuer: Issuer, answers: Answered[]): Promise<number> {
  const ready = await until('ready again', async () => (await fetch(`${issuer.url}/readyz`)).status === 200, 5000);
  const from = answers.length;
  await until('writes again', async () => answers.slice(from).some((a) => a.what === 'begin' && a.status < 400), 5000);
  return ready;
}

function integrity(file: string): void {
  const database = new Sqlite(file, { readonly: true });
  assert.equal(database.pragma('integrity_check', { simple: true }), 'ok');
  database.close();
}

async function asClient(
  issuer: Issuer,
  client: Users['client'],
  path: string,
  body: string,
): Promise<Record<string, unknown>> {
  const authorization = `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' };
  const text = await (await fetch(issuer.url + path, { method: 'POST', headers, body })).text();
  return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
}

export const proofs = [locked, full, failing, damaged];
