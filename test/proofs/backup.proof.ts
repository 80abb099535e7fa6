/** A backup of a service under load, restored into an empty folder; and both killed on the way. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { type Issuer, startIssuer } from '../support/issuer.ts';
import { createLedger } from './ledger.ts';
import { between, type Proof, pause } from './proof.ts';

const PEOPLE = 3;
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const METADATA = {
  token_endpoint_auth_method: 'none',
  first_party: true,
  redirect_uris: ['http://127.0.0.1:9/callback'],
};

const underLoad: Proof<{ rounds: number }> = {
  fault: 'backup under load, restored into an empty folder',
  promise: 'what was acknowledged before it is there, people sign in, and no session or token of before lives',
  few: { rounds: 1 },
  full: { rounds: 10 },

  async run(t, { rounds }) {
    const issuer = await startIssuer(t);
    const counts = { people: 0, tokens: 0, acknowledged: 0 };
    for (let round = 0; round < rounds; round += 1) await backUpAndRestore(t, issuer, counts);
    const { people, tokens, acknowledged } = counts;
    return `${people} people of before are there, ${tokens} tokens dead, ${acknowledged} intents acknowledged; integrity and record ok`;
  },
};

type Counted = { people: number; tokens: number; acknowledged: number };

async function backUpAndRestore(t: TestContext, issuer: Issuer, counts: Counted): Promise<void> {
  const dir = newFolder(t);
  const client = await issuer.createClient({ ...METADATA, client_name: 'Ledger' });
  const ledger = createLedger(issuer, client.client_id, join(dir, 'ledger.jsonl'));
  t.after(ledger.rest);
  // Somebody who does nothing any more, and the others under way.
  await ledger.register();
  const lives = Array.from({ length: PEOPLE }, () => ledger.live());
  await pause(between(300, 1500));
  const known = ledger.books
    .filter(({ registered }) => registered === 'yes')
    .map((book) => ({ book, from: book.everyPassword.indexOf(book.passwords[0] as string) }));
  const file = join(dir, 'backup.db');
  await issuer.run('backup', '--to', file);
  const passwords = new Map(known.map(({ book, from }) => [book, book.everyPassword.slice(from)]));
  await pause(between(0, 500));
  ledger.rest();
  for (const broken of await Promise.all(lives)) if (broken !== undefined) throw broken;
  const tokens = ledger.books.flatMap(({ tokens: living, ended }) => [...ended, ...(living ? [living] : [])]);

  await issuer.stop();
  removeDatabase(issuer.dataDir);
  await issuer.run('restore', '--from', file);
  sound(join(issuer.dataDir, 'latchkey.db'));
  await issuer.start();
  for (const { access, refresh } of tokens) {
    const headers = { authorization: `Bearer ${access}` };
    assert.equal((await fetch(`${issuer.url}/oauth2/userinfo`, { headers })).status, 401, 'no access token lives');
    assert.equal(await ledger.refreshStatus(refresh), 400, 'no refresh token lives');
  }
  for (const { book } of known) {
    book.passwords = passwords.get(book) as string[];
    await ledger.signInAgain(book);
  }
  const { stdout } = await issuer.run('audit', 'verify', '--json');
  assert.match(stdout, /"ok":\s*true/, stdout);
  ledger.close();
  counts.people += known.length;
  counts.tokens += 2 * tokens.length;
  counts.acknowledged += ledger.counts.acknowledged;
}

const killed: Proof<{ kills: number }> = {
  fault: 'backup and restore killed half-way',
  promise: 'never a half file under the final name, and the same command again does it',
  few: { kills: 1 },
  full: { kills: 20 },

  async run(t, { kills }) {
    const issuer = await startIssuer(t);
    await issuer.stop();
    const dir = newFolder(t);
    const file = join(dir, 'backup.db');
    let early = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      await killedWhen(issuer, ['backup', '--to', file], dir, '.partial');
      if (!existsSync(file)) early += 1;
      else sound(file);
      rmSync(file, { force: true });
    }
    await issuer.run('backup', '--to', file);
    sound(file);

    const database = join(issuer.dataDir, 'latchkey.db');
    for (let kill = 0; kill < kills; kill += 1) {
      removeDatabase(issuer.dataDir);
      await killedWhen(issuer, ['restore', '--from', file], issuer.dataDir, 'restoring-');
      if (existsSync(database)) {
        settled(database);
        continue;
      }
      early += 1;
      await issuer.run('restore', '--from', file);
      settled(database);
      const left = readdirSync(issuer.dataDir).filter((name) => name.startsWith('restoring-'));
      assert.deepEqual(left, [], 'what the killed one left is gone');
    }
    await issuer.start();
    assert.equal((await fetch(`${issuer.url}/readyz`)).status, 200);
    return `${early} of ${2 * kills} killed before their end, every one done by the next call`;
  },
};

/** Kills the command a moment after something of that name is in the folder; it may have ended by then. */
async function killedWhen(issuer: Issuer, args: string[], dir: string, part: string): Promise<void> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: issuer.env, cwd: dir, stdio: 'ignore' });
  const ended = once(child, 'exit');
  const old = new Set(readdirSync(dir));
  while (child.exitCode === null && !readdirSync(dir).some((name) => name.includes(part) && !old.has(name)))
    await pause(1);
  await pause(between(0, 400));
  child.kill('SIGKILL');
  await ended;
}

function newFolder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-backup-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function removeDatabase(dir: string): void {
  for (const name of readdirSync(dir)) if (name.startsWith('latchkey.db')) rmSync(join(dir, name));
}

function sound(file: string): void {
  const database = new Sqlite(file, { readonly: true });
  assert.equal(database.pragma('integrity_check', { simple: true }), 'ok');
  database.close();
}

/** Everything of it, and nobody is signed in. */
function settled(file: string): void {
  sound(file);
  const database = new Sqlite(file, { readonly: true });
  const count = (sql: string) => (database.prepare(`SELECT count(*) AS n FROM ${sql}`).get() as { n: number }).n;
  assert.equal(count("audit_events WHERE type = 'database.restored'"), 1);
  assert.equal(count('sessions'), 0);
  database.close();
}

export const proofs = [underLoad, killed];
