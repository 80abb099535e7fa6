/** People and their sessions on the command line, on a real database. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AccountAnswer, SessionList } from '../src/api/answers.ts';
import { newIdentifier } from '../src/artifacts/identifier.ts';
import { type CommandLine, commandLine } from './support/command-line.ts';

const PASSWORD = 'seven quiet herons';

async function withAda(t: TestContext): Promise<{ cli: CommandLine; id: string }> {
  const cli = commandLine(t);
  const args = ['users', 'create', '--email', 'Ada@Example.com', '--name', 'Ada', '--verified', '--json'];
  const made = await cli.run([...args, '--password-stdin'], { input: `${PASSWORD}\n` });
  assert.equal(made.code, 0, made.err);
  return { cli, id: made.json.id };
}

test('an account that was made is the object of the account API, and shows under its id and its address', async (t) => {
  const { cli, id } = await withAda(t);
  const shown = await cli.run(['users', 'show', 'ada@example.com', '--json']);
  assert.equal(shown.code, 0, shown.err);
  const { status, factors, factor_recovery, roles, delete_after, ...described } = shown.json;
  AccountAnswer.parse(described);
  assert.equal(status, 'active');
  assert.deepEqual([factors, factor_recovery, roles, delete_after], [[], null, [], null]);
  const {
    created_at,
    updated_at,
    password_changed_at,
    factors: _none,
    roles: _few,
    factor_recovery: _nothing,
    delete_after: _never,
    ...account
  } = shown.json;
  for (const time of [created_at, updated_at, password_changed_at]) assert.equal(new Date(time).toISOString(), time);
  const nulls = {
    given_name: null,
    family_name: null,
    preferred_username: null,
    picture: null,
    locale: null,
    zoneinfo: null,
  };
  assert.deepEqual(account, {
    id,
    email: 'Ada@example.com',
    email_verified: true,
    name: 'Ada',
    ...nulls,
    status: 'active',
  });
  const lines = await cli.run(['users', 'show', id]);
  assert.match(lines.out, /^email +Ada@example\.com \(verified\)$/m);
  assert.ok(!lines.out.includes('argon2'), 'the hash stays where it is');
});

test('a password from the standard input loses the one line break of the shell and nothing else', async (t) => {
  const cli = commandLine(t);
  const args = ['users', 'create', '--email', 'eve@example.com', '--name', 'Eve', '--password-stdin'];
  for (const input of ['', '\n', '\r\n']) {
    const none = await cli.run(args, { input });
    assert.equal(none.code, 2);
    assert.match(none.err, /No password came from the standard input/);
  }
  assert.ok(!existsSync(join(cli.dataDir, 'latchkey.db')), 'nothing is opened for a command that is wrong');
  assert.equal((await cli.run(args, { input: ' seven quiet herons \n\n' })).code, 0);
  await cli.within(async ({ accounts }) => {
    const attempt = (password: string) => accounts.authenticate({ email: 'eve@example.com', password });
    await assert.rejects(attempt('seven quiet herons'), { code: 'invalid_credentials' });
    assert.equal((await attempt(' seven quiet herons \n')).account.email, 'eve@example.com');
  });
});

test('an account without a password says how the person gets one', async (t) => {
  const cli = commandLine(t);
  const made = await cli.run(['users', 'create', '--email', 'bob@example.com', '--name', 'Bob']);
  assert.equal(made.code, 0, made.err);
  assert.match(made.out, /No password yet.*forgot password/);
});

test('a weak password and a bad address are refused in words, with exit code 1', async (t) => {
  const cli = commandLine(t);
  const args = ['users', 'create', '--name', 'Bob', '--password-stdin', '--json', '--email'];
  const weak = await cli.run([...args, 'bob@example.com'], { input: 'password' });
  assert.deepEqual([weak.code, weak.json.code, weak.json.status], [1, 'weak_password', 400]);
  assert.equal(weak.json.errors[0].field, 'password');
  assert.match(weak.err, /^latchkey: This password is refused by the password policy\.\n {2}password: /);
  const bad = await cli.run([...args, 'bob'], { input: PASSWORD });
  assert.deepEqual([bad.code, bad.json.code], [1, 'invalid_request']);
});

test('the same address twice is a conflict, whatever its case, and leaves one account', async (t) => {
  const { cli } = await withAda(t);
  const again = await cli.run(['users', 'create', '--email', 'ADA@EXAMPLE.COM', '--name', 'Impostor', '--json']);
  assert.equal(again.code, 4);
  assert.deepEqual(
    { ...again.json, detail: '' },
    { type: 'about:blank', title: 'Conflict', status: 409, detail: '', code: 'conflict' },
  );
  assert.equal((await cli.run(['users', 'list', '--json'])).json.items.length, 1);
});

test('somebody who is not there is exit code 3, for every command that names an account', async (t) => {
  const { cli } = await withAda(t);
  const commands = [['show'], ['verify'], ['disable'], ['enable'], ['delete', '--yes']].map(([verb, ...rest]) => [
    'users',
    verb as string,
    ...rest,
  ]);
  for (const command of [...commands, ['sessions', 'list'], ['sessions', 'revoke', '--all']]) {
    for (const who of ['nobody@example.com', '0192-nobody']) {
      const said = await cli.run([...command, who, '--json']);
      assert.equal(said.code, 3, `${command.join(' ')}: ${said.err}`);
      assert.equal(said.json.code, 'not_found');
      assert.ok(said.err.includes(who));
    }
  }
});

test('a list is paged by its cursor, and searched by the start of the address', async (t) => {
  const cli = commandLine(t);
  for (const name of ['ada', 'bob', 'cleo', 'adam', 'dan']) {
    await cli.run(['users', 'create', '--email', `${name}@example.com`, '--name', name]);
  }
  const seen: string[] = [];
  let cursor: string[] = [];
  do {
    const { code, json } = await cli.run(['users', 'list', '--limit', '2', ...cursor, '--json']);
    assert.equal(code, 0);
    assert.ok(json.items.length <= 2);
    seen.push(...json.items.map((item: { name: string }) => item.name));
    cursor = json.next === null ? [] : ['--cursor', json.next];
  } while (cursor.length > 0);
  assert.deepEqual(seen.sort(), ['ada', 'adam', 'bob', 'cleo', 'dan']);
  const found = await cli.run(['users', 'list', '--search', 'AD', '--json']);
  assert.deepEqual(found.json.items.map((item: { name: string }) => item.name).sort(), ['ada', 'adam']);
  assert.match((await cli.run(['users', 'list', '--limit', '2'])).out, /^More: --cursor \S+$/m);
  for (const limit of ['0', '201', 'x', '-1', '1.5']) {
    const said = await cli.run(['users', 'list', `--limit=${limit}`]);
    assert.equal(said.code, 2, limit);
    assert.match(said.err, /whole number from 1 to 200/);
  }
});

test('verify, disable and enable say what the account is now', async (t) => {
  const cli = commandLine(t);
  await cli.run(['users', 'create', '--email', 'bob@example.com', '--name', 'Bob']);
  const state = async (verb: string) => {
    const { json, err } = await cli.run(['users', verb, 'bob@example.com', '--json']);
    assert.equal(err, '');
    return [json.email_verified, json.status];
  };
  assert.deepEqual(await state('verify'), [true, 'active']);
  assert.deepEqual(await state('disable'), [true, 'disabled']);
  assert.deepEqual(await state('show'), [true, 'disabled']);
  assert.deepEqual(await state('enable'), [true, 'active']);
});

test('deleting asks on a terminal, refuses without one, and does it when told so', async (t) => {
  const { cli } = await withAda(t);
  const alone = await cli.run(['users', 'delete', 'ada@example.com']);
  assert.equal(alone.code, 2);
  assert.match(alone.err, /--yes/);
  for (const answer of ['', 'n', 'nope', 'yesterday']) {
    const no = await cli.run(['users', 'delete', 'ada@example.com'], { answer });
    assert.deepEqual([no.code, no.out, no.err], [1, '', 'latchkey: Nothing was changed.\n']);
  }
  assert.equal((await cli.run(['users', 'show', 'ada@example.com'])).code, 0);
  assert.equal((await cli.run(['users', 'delete', 'ada@example.com'], { answer: 'Yes' })).code, 0);
  assert.equal((await cli.run(['users', 'show', 'ada@example.com'])).code, 3);
  await cli.run(['users', 'create', '--email', 'ada@example.com', '--name', 'Ada']);
  const told = await cli.run(['users', 'delete', 'ada@example.com', '--yes', '--json']);
  assert.equal(told.json.deleted, true);
});

test('an invitation prints its link, once for each call, and none for somebody who is there', async (t) => {
  const { cli } = await withAda(t);
  const invited = await cli.run(['users', 'invite', '--email', 'cleo@example.com', '--locale', 'fr', '--json']);
  assert.equal(invited.code, 0, invited.err);
  assert.equal(invited.json.email, 'cleo@example.com');
  assert.match(invited.json.link, /^http:\/\/localhost:3999\/invitation\/\S+$/);
  assert.equal((await cli.run(['users', 'invite', '--email', 'ada@example.com'])).code, 4);
  const tongue = await cli.run(['users', 'invite', '--email', 'cleo@example.com', '--locale', 'xx']);
  assert.equal(tongue.code, 2);
  assert.match(tongue.err, /Allowed choices are en, fr/);
});

test('sessions are listed as in the account API, and end one by one or all at once', async (t) => {
  const { cli, id } = await withAda(t);
  const signIn = (userAgent: string) =>
    cli.within(async ({ rows }) => {
      const [iat, uid] = [Math.floor(Date.now() / 1000), newIdentifier()];
      const session = { uid, accountId: id, iat, exp: iat + 3600, loginTs: iat };
      await rows.Session.upsert(newIdentifier(), session, Date.now() + 3_600_000, { ip: '192.0.2.7', userAgent });
      return uid;
    });
  const firefox = await signIn('Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0');
  await signIn('curl/8.14.1');
  const { json } = await cli.run(['sessions', 'list', 'ada@example.com', '--json']);
  SessionList.parse(json);
  assert.equal(json.next, null);
  const entry = json.items.find((item: { id: string }) => item.id === firefox);
  const members = ['id', 'kind', 'current', 'created_at', 'last_seen_at', 'expires_at', 'ip', 'device', 'apps'];
  assert.deepEqual(Object.keys(entry).sort(), members.sort());
  assert.equal(entry.device.name, 'Firefox on Linux');
  assert.match((await cli.run(['sessions', 'list', id])).out, /Firefox on Linux/);

  const neither = await cli.run(['sessions', 'revoke', id]);
  assert.deepEqual([neither.code, /--all/.test(neither.err)], [2, true]);
  assert.equal((await cli.run(['sessions', 'revoke', id, firefox, '--all'])).code, 2);
  assert.deepEqual((await cli.run(['sessions', 'revoke', id, firefox, '--json'])).json, { ended: [firefox] });
  assert.equal((await cli.run(['sessions', 'revoke', id, firefox])).code, 3);
  assert.equal((await cli.run(['sessions', 'list', id, '--json'])).json.items.length, 1);
  const other = await cli.run(['users', 'create', '--email', 'bob@example.com', '--name', 'Bob', '--json']);
  const rest = (await cli.run(['sessions', 'list', id, '--json'])).json.items[0].id;
  assert.equal((await cli.run(['sessions', 'revoke', other.json.id, rest])).code, 3, "somebody else's session");
  assert.equal((await cli.run(['sessions', 'revoke', id, '--all', '--json'])).json.ended.length, 1);
  assert.equal((await cli.run(['sessions', 'list', id])).out, 'No sessions.\n');
});
