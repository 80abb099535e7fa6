/** The command line as a process: its streams and exit codes, and what it changes under a running instance. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { startApp } from './support/app.ts';
import { commandLine, PRODUCTION } from './support/command-line.ts';

test('exit codes and streams are those of the process, from any folder', async (t) => {
  const cli = commandLine(t);
  const password = 'seven quiet herons';
  const create = ['users', 'create', '--email', 'ada@example.com', '--name', 'Ada', '--password-stdin', '--json'];
  const made = await cli.spawn(create, { input: password });
  assert.deepEqual([made.code, made.err], [0, '']);
  assert.equal(made.json.email, 'ada@example.com');
  const again = await cli.spawn(create, { input: password });
  assert.deepEqual([again.code, again.json.code], [4, 'conflict']);
  assert.match(again.err, /^latchkey: There is an account for ada@example\.com already\.\n$/);
  const deleting = await cli.spawn(['users', 'delete', 'ada@example.com']);
  assert.deepEqual([deleting.code, deleting.out], [2, '']);
  assert.equal((await cli.spawn(['users', 'show', 'bob@example.com'])).code, 3);
  assert.equal((await cli.spawn(['users', 'lst'])).code, 2);
});

test('broken settings stop a command with 78, and help works all the same', async (t) => {
  const cli = commandLine(t, { LATCHKEY_PORT: 'x' });
  const list = await cli.spawn(['users', 'list', '--json']);
  assert.deepEqual([list.code, list.json.code], [78, 'configuration']);
  assert.match(list.err, /LATCHKEY_PORT/);
  assert.equal((await cli.spawn(['users', '--help'])).code, 0);
});

test('a database that is not there is 69 within seconds, in one sentence without the password', async (t) => {
  const cli = commandLine(t, { LATCHKEY_DATABASE_URL: 'postgres://latchkey:hunter2@127.0.0.1:1/latchkey' });
  const began = Date.now();
  const said = await cli.spawn(['users', 'list']);
  assert.deepEqual([said.code, said.out], [69, '']);
  assert.match(said.err, /^latchkey: PostgreSQL at 127\.0\.0\.1:1 does not answer .*\n$/);
  assert.ok(!said.err.includes('hunter2'));
  assert.ok(Date.now() - began < 8000);
});

test('a running instance sends what is invited, and takes a client, its new secret and its end within a second', async (t) => {
  const key = { LATCHKEY_SECRET_KEY: randomBytes(32).toString('base64') };
  const app = await startApp(t, { env: key });
  const address = { LATCHKEY_ISSUER: app.url, LATCHKEY_PORT: new URL(app.url).port };
  const cli = commandLine(t, { ...key, ...address, LATCHKEY_DATA_DIR: app.dataDir });
  assert.equal((await cli.spawn(['healthcheck'])).code, 0);

  const invited = await cli.spawn(['users', 'invite', '--email', 'ada@example.com', '--json']);
  assert.equal(invited.code, 0, invited.err);
  const made = await cli.spawn(['clients', 'create', '--preset', 'service', '--id', 'job', '--json']);
  assert.equal(made.code, 0, made.err);
  const token = async (secret: string) => {
    const authorization = `Basic ${Buffer.from(`job:${secret}`).toString('base64')}`;
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    return (await fetch(`${app.url}/oauth2/token`, { method: 'POST', headers: { authorization }, body })).status;
  };
  assert.equal(await token(made.json.client_secret), 200);
  const rotated = await cli.spawn(['clients', 'rotate-secret', 'job', '--json']);
  await pause(1000);
  assert.deepEqual([await token(made.json.client_secret), await token(rotated.json.client_secret)], [401, 200]);
  assert.equal((await cli.spawn(['clients', 'remove', 'job', '--yes'])).code, 0);
  await pause(1000);
  assert.equal(await token(rotated.json.client_secret), 401);

  const mail = await app.mail('ada@example.com');
  assert.ok(mail.text.includes(invited.json.link));
});

test('in production only migrate makes a database, and a restore is not in its own way', async (t) => {
  const cli = commandLine(t, PRODUCTION);
  const there = () => readdirSync(cli.dataDir);
  for (const command of [
    'users list',
    'users create --email ada@example.com --name Ada',
    'sessions list ada@example.com',
    'clients list',
    'keys list',
    'audit list',
    'outbox list',
    'secrets status',
    'secrets rotate',
    'backup --to copy.db',
    'restore --in-place --yes',
  ]) {
    const said = await cli.run(command.split(' '));
    assert.equal(said.code, 69, `${command}: ${said.err}`);
    assert.match(said.err, /There is no database at .*latchkey\.db/, command);
    assert.deepEqual(there(), [], command);
  }
  assert.equal((await cli.run(['migrate'])).code, 0);
  assert.equal((await cli.run(['users', 'list'])).code, 0);
});

test('a restore in development says nothing of a new, empty database', async (t) => {
  const cli = commandLine(t, { LATCHKEY_SECRET_KEY: '' });
  assert.equal((await cli.spawn(['users', 'list'])).code, 0);
  const copy = join(cli.dataDir, 'copy.db');
  assert.equal((await cli.spawn(['backup', '--to', copy])).code, 0);
  for (const name of readdirSync(cli.dataDir)) if (name.startsWith('latchkey.db')) rmSync(join(cli.dataDir, name));
  const restored = await cli.spawn(['restore', '--from', copy]);
  assert.deepEqual([restored.code, restored.err], [0, '']);
  for (const name of readdirSync(cli.dataDir)) if (name.startsWith('latchkey.db')) rmSync(join(cli.dataDir, name));
  assert.match((await cli.spawn(['users', 'list'])).err, /the database is gone: a new, empty one is made/);
});
