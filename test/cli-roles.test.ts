/** Roles of accounts on the command line. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandLine } from './support/command-line.ts';

const WHO = 'ada@example.com';

test('users roles shows, gives and takes roles that the configuration declares, with a record', async (t) => {
  const cli = commandLine(t);
  const file = join(cli.dataDir, 'config.yaml');
  cli.env['LATCHKEY_CONFIG'] = file;
  writeFileSync(file, 'roles: [{ name: admin }, { name: guest }]\n');
  const made = await cli.run(['users', 'create', '--email', WHO, '--name', 'Ada', '--json']);
  await cli.run(['users', 'create', '--email', 'eve@example.com', '--name', 'Eve']);
  const names = (json: { roles: Array<{ name: string; declared: boolean }> }) =>
    json.roles.map(({ name, declared }) => [name, declared]);

  assert.match((await cli.run(['users', 'roles', WHO])).out, /^roles +none$/m);
  assert.doesNotMatch((await cli.run(['users', 'list'])).out, /ROLES/);
  const given = await cli.run(['users', 'roles', WHO, '--add', 'guest', 'admin', '--json']);
  assert.equal(given.code, 0, given.err);
  assert.deepEqual([given.json.id, given.json.email], [made.json.id, WHO]);
  assert.deepEqual(names(given.json), [
    ['admin', true],
    ['guest', true],
  ]);
  assert.equal(new Date(given.json.roles[0].since).toISOString(), given.json.roles[0].since);
  const moved = await cli.run(['users', 'roles', WHO, '--add', 'admin', '--remove', 'guest', '--json']);
  assert.deepEqual(names(moved.json), [['admin', true]]);

  const unknown = await cli.run(['users', 'roles', WHO, '--add', 'owner']);
  assert.notEqual(unknown.code, 0);
  assert.match(unknown.err, /There is no role owner\. There are: admin, guest\./);
  for (const args of [
    ['--remove', 'owner'],
    ['--add', 'guest', '--remove', 'guest'],
  ])
    assert.notEqual((await cli.run(['users', 'roles', WHO, ...args])).code, 0, args.join(' '));
  assert.notEqual((await cli.run(['users', 'roles', 'nobody@example.com'])).code, 0);

  assert.match((await cli.run(['users', 'list'])).out, /ROLES\n.* admin$/m);
  const listed = await cli.run(['users', 'list', '--json']);
  assert.deepEqual(
    listed.json.items.map(({ roles }: { roles: string[] }) => roles),
    [['admin'], []],
  );
  assert.match((await cli.run(['users', 'show', WHO])).out, /^roles +admin, since /m);

  writeFileSync(file, 'roles: [{ name: guest }]\n');
  const shown = await cli.run(['users', 'show', WHO]);
  assert.match(shown.out, /admin, since .* \(not in the configuration: it counts for nothing\)/);
  const gone = await cli.run(['users', 'roles', WHO, '--remove', 'admin', '--json']);
  assert.deepEqual(gone.json.roles, []);
  await cli.within(async ({ audit }) => {
    const { items } = await audit.list({ type: 'roles.changed' }, 10);
    assert.deepEqual(
      items.map(({ details, outcome }) => [details['added'], details['removed'], outcome]),
      [
        [[], ['admin'], 'success'],
        [[], ['guest'], 'success'],
        [['guest', 'admin'], [], 'success'],
      ],
    );
  });
});
