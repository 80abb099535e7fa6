/** Changing LATCHKEY_SECRET_KEY under a running instance, with a process that dies on the way. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '../src/db/connect.ts';
import { keyId } from '../src/keyring/envelope.ts';
import { createDataKeyStore } from '../src/keyring/store.ts';
import { createWrapping } from '../src/keyring/wrapping.ts';
import type { TestApp } from './support/app.ts';
import { commandLine } from './support/command-line.ts';
import { authorizationRequest, CALLBACK, codeOf, PASSWORD, signIn, token } from './support/flow.ts';
import { type Issuer, startIssuer } from './support/issuer.ts';
import { createVerifier } from './support/verifier.ts';
import { createVisitor } from './support/visitor.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const [OLD, NEW] = [randomBytes(32), randomBytes(32)];
const [old, fresh] = [OLD.toString('base64'), NEW.toString('base64')];
const person = { email: 'ada@example.com', password: PASSWORD };

interface Entry {
  id: string;
  data_keys: number;
  configured: boolean;
  first: boolean;
}

/** Signs in with the password and checks the ID token. */
async function signsIn(issuer: Issuer, client: { client_id: string; client_secret: string }): Promise<string> {
  const app = issuer as unknown as TestApp;
  const visitor = createVisitor(issuer.url);
  const request = authorizationRequest(app, client.client_id);
  const back = await signIn(visitor, await visitor.open(request.url), person);
  const { status, body } = await token(app, client, {
    grant_type: 'authorization_code',
    code: codeOf(back) as string,
    redirect_uri: CALLBACK,
    code_verifier: request.verifier,
  });
  assert.equal(status, 200, JSON.stringify(body));
  return createVerifier(issuer.url)(body.id_token as string);
}

/** More data keys than there are purposes, so that the work takes long enough to be broken off. */
async function addDataKeys(file: string, count: number): Promise<void> {
  const db = await connect({ file });
  const { wrap } = createWrapping([OLD]);
  const purposes = Array.from({ length: count }, (_, n) => `test ${n}`);
  await createDataKeyStore(db).ensure(
    purposes.map((purpose) => ({ purpose, wrapped: wrap(purpose, randomBytes(32)) })),
  );
  await db.close();
}

test('killed in the middle, run again, and then without the old key: the instance serves all the while', async (t) => {
  const issuer = await startIssuer(t, { env: { LATCHKEY_SECRET_KEY: old } });
  const client = await issuer.createClient({ client_name: 'App', redirect_uris: [CALLBACK], first_party: true });
  const create = ['users', 'create', '--email', person.email, '--name', 'Ada', '--verified', '--password-stdin'];
  await ended(spawn(process.execPath, [MAIN, ...create], { env: issuer.env, cwd: issuer.dataDir }), PASSWORD);
  const kid = await signsIn(issuer, client);
  const file = join(issuer.dataDir, 'latchkey.db');
  await addDataKeys(file, 3000);
  const status = async () => JSON.parse((await issuer.run('secrets', 'status', '--json')).stdout).items as Entry[];

  issuer.env['LATCHKEY_SECRET_KEY'] = `${fresh},${old}`;
  const db = await connect({ file });
  // Quick, so that the work is not done before it is looked at again.
  const count = 'SELECT COUNT(*) AS n FROM data_keys WHERE wrapped LIKE ?';
  const done = async () => (await db.one<{ n: number }>(count, `v1.${keyId(NEW)}.%`))?.n ?? 0;
  const rotating = spawn(process.execPath, [MAIN, 'secrets', 'rotate'], { env: issuer.env, cwd: issuer.dataDir });
  const dead = once(rotating, 'exit');
  while ((await done()) < 100 && rotating.exitCode === null) await sleep(5);
  rotating.kill('SIGKILL');
  await dead;
  const half = await status();
  assert.deepEqual(
    half.map(({ id }) => id),
    [keyId(NEW), keyId(OLD)],
  );
  assert.ok(
    half.every(({ data_keys }) => data_keys > 0),
    JSON.stringify(half),
  );
  assert.equal(await signsIn(issuer, client), kid);

  const again = JSON.parse((await issuer.run('secrets', 'rotate', '--json')).stdout);
  assert.deepEqual(again, { id: keyId(NEW), rewrapped: half[1]?.data_keys, unchanged: half[0]?.data_keys });
  assert.equal(await signsIn(issuer, client), kid, 'running instances notice nothing');
  assert.equal(JSON.parse((await issuer.run('secrets', 'rotate', '--json')).stdout).rewrapped, 0);
  assert.equal((await status())[1]?.data_keys, 0);
  await db.close();

  await issuer.stop();
  issuer.env['LATCHKEY_SECRET_KEY'] = fresh;
  await issuer.start();
  assert.equal(await signsIn(issuer, client), kid, 'the password, the client secret and the signing key are as before');
});

async function ended(child: ReturnType<typeof spawn>, input: string): Promise<void> {
  child.stdin?.end(input);
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
}

test('without the old key nothing starts and nothing is written, and the words say what to do', async (t) => {
  const cli = commandLine(t, { LATCHKEY_SECRET_KEY: old });
  assert.equal((await cli.run(['users', 'list'])).code, 0);
  await cli.within(async ({ db }) => void (await db.run("DELETE FROM data_keys WHERE purpose = 'csrf'")));

  cli.env['LATCHKEY_SECRET_KEY'] = fresh;
  for (const args of [
    ['users', 'list'],
    ['secrets', 'rotate'],
    ['keys', 'list'],
  ]) {
    const said = await cli.run(args);
    assert.equal(said.code, 78, args.join(' '));
    assert.match(said.err, new RegExp(`secret key with the id ${keyId(OLD)}.*Add the old key behind the new one`));
  }
  const { items } = (await cli.run(['secrets', 'status', '--json'])).json as { items: Entry[] };
  assert.deepEqual(
    items.map(({ id, configured, first }) => ({ id, configured, first })),
    [
      { id: keyId(NEW), configured: true, first: true },
      { id: keyId(OLD), configured: false, first: false },
    ],
  );
  assert.equal(items[0]?.data_keys, 0, 'the wrong key has wrapped nothing');
  assert.match((await cli.run(['secrets', 'status'])).out, /missing: nothing starts without it/);

  cli.env['LATCHKEY_SECRET_KEY'] = old;
  assert.equal((await cli.run(['users', 'list'])).code, 0, 'the right key still opens all');
});

test('a data key that was changed or moved is named, and stops the start', async (t) => {
  const cli = commandLine(t, { LATCHKEY_SECRET_KEY: old });
  await cli.run(['users', 'list']);
  await cli.within(async ({ db }) => {
    await db.run(
      "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE purpose = 'client') WHERE purpose = 'payload'",
    );
  });
  const said = await cli.run(['secrets', 'rotate']);
  assert.equal(said.code, 78);
  assert.match(said.err, /The stored key for "payload" is damaged or belongs elsewhere/);
});

test('the signing keys by command: listed, refused while the next is too young, replaced in an emergency', async (t) => {
  const cli = commandLine(t);
  const client = ['clients', 'create', '--preset', 'service', '--name', 'Job'];
  assert.equal((await cli.run(client)).code, 0);
  const list = async () => (await cli.run(['keys', 'list', '--json'])).json.items as Array<Record<string, string>>;
  const first = await list();
  assert.deepEqual(
    first.map(({ alg, state }) => `${alg} ${state}`),
    ['RS256 active', 'ES256 active', 'EdDSA active'],
  );
  const early = await cli.run(['keys', 'rotate']);
  assert.equal(early.code, 4);
  assert.match(early.err, /may not know it before 20\d\d-\d\d-\d\d \d\d:\d\d UTC. Nothing was changed/);
  assert.equal((await list()).length, 6, 'the next keys are published now');

  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 17 * 60_000 });
  const rotated = await cli.run(['keys', 'rotate', '--alg', 'ES256']);
  assert.equal(rotated.code, 0, rotated.err);
  assert.match(rotated.out, /^ES256: [\w-]{43} signs from now on\.\nRunning instances follow within a second\.\n$/);

  assert.equal((await cli.run(['keys', 'rotate', '--now'])).code, 2, 'nobody is there to ask');
  assert.equal((await cli.run(['keys', 'rotate', '--now'], { answer: 'n' })).code, 1);
  const emergency = (await cli.run(['keys', 'rotate', '--now', '--json'], { answer: 'y' })).json;
  assert.equal(emergency.dropped.length, 6);
  assert.equal((await list()).length, 3);
  assert.match((await cli.run(['keys', 'list'])).out, /^ID +ALG +STATE +PUBLISHED/);
  assert.equal((await cli.run(['keys', 'rotate', '--alg', 'HS256'])).code, 2);
});
