/** What protects an account, on the command line: shown, and reset by an operator for who lost it. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SYSTEM } from '../src/audit/events.ts';
import { type CommandLine, commandLine } from './support/command-line.ts';
import { oath } from './support/factors.ts';

async function withAda(t: TestContext, env = {}): Promise<{ cli: CommandLine; accountId: string }> {
  const cli = commandLine(t, env);
  const made = await cli.run([
    'users',
    'create',
    '--email',
    'ada@example.com',
    '--name',
    'Ada',
    '--verified',
    '--json',
  ]);
  const accountId = made.json.id as string;
  await cli.within(async ({ totp, recoveryCodes }) => {
    const { id, secret } = await totp.begin({ accountId, label: 'ada' });
    await totp.confirm({ accountId, id, code: oath(secret), name: 'Phone' }, { by: SYSTEM });
    await recoveryCodes.create(accountId, { by: SYSTEM });
  });
  return { cli, accountId };
}

test('users show lists the factors, and never a secret', async (t) => {
  const { cli } = await withAda(t);
  const shown = await cli.run(['users', 'show', 'ada@example.com']);
  assert.match(shown.out, /^factors +totp "Phone", never used$\n +10 of 10 recovery codes left$/m);
  const { json } = await cli.run(['users', 'show', 'ada@example.com', '--json']);
  assert.deepEqual(
    json.factors.map(({ kind, name, details }: Record<string, unknown>) => [kind, name, details]),
    [
      ['totp', 'Phone', {}],
      ['recovery', null, { left: 10, total: 10 }],
    ],
  );
});

test('users show says that the person can remove them by themselves, and from when', async (t) => {
  const { cli, accountId } = await withAda(t, { LATCHKEY_FACTOR_RECOVERY_WAIT: '72h' });
  const none = await cli.run(['users', 'show', 'ada@example.com', '--json']);
  assert.equal(none.json.factor_recovery, null);
  const [from, until] = [Date.now(), Date.now() + 3 * 86_400_000];
  const sql = 'INSERT INTO factor_recoveries (id, account_id, requested_at, ends_at) VALUES (?, ?, ?, ?)';
  await cli.within(({ db }) => db.run(sql, 'r1', accountId, from, until));
  const { json } = await cli.run(['users', 'show', 'ada@example.com', '--json']);
  const [requested_at, ends_at] = [new Date(from).toISOString(), new Date(until).toISOString()];
  assert.deepEqual(json.factor_recovery, { requested_at, ends_at });
  const shown = await cli.run(['users', 'show', 'ada@example.com']);
  assert.match(shown.out, /^removable +by the person, from 20/m);
  await cli.run(['users', 'reset-factors', 'ada@example.com', '--yes']);
  const after = await cli.run(['users', 'show', 'ada@example.com', '--json']);
  assert.equal(after.json.factor_recovery, null);
});

test('users reset-factors asks, removes, records, and tells the person; of one kind only where it is said', async (t) => {
  const { cli, accountId } = await withAda(t);
  const reset = ['users', 'reset-factors', 'ada@example.com'];
  const unasked = await cli.run(reset);
  assert.equal(unasked.code, 2);
  assert.match(unasked.err, /Add --yes/);
  const declined = await cli.run(reset, { answer: 'n' });
  assert.notEqual(declined.code, 0);
  const passkeys = await cli.run([...reset, '--kind', 'passkey', '--yes']);
  assert.match(passkeys.out, /has no factors of the kind passkey/);
  assert.equal((await cli.run([...reset, '--kind', 'sms', '--yes'])).code, 2);
  await cli.within(async ({ factors }) => assert.equal((await factors.of(accountId)).length, 2));

  const codes = await cli.run([...reset, '--kind', 'recovery', '--yes', '--json']);
  assert.deepEqual(codes.json, { id: accountId, removed: 0 }, 'codes replace a factor, they are none');
  const done = await cli.run([...reset, '--yes', '--json']);
  assert.deepEqual(done.json, { id: accountId, removed: 1 });
  await cli.within(async ({ factors, audit, db }) => {
    assert.deepEqual(await factors.of(accountId), []);
    const { items } = await audit.list({ account: accountId }, 50);
    const resets = items.filter(({ type }) => type === 'factors.reset');
    assert.deepEqual(
      resets.map(({ via, details }) => [via, details['kinds']]),
      [
        ['cli', ['passkey', 'recovery', 'totp']],
        ['cli', ['recovery']],
      ],
    );
    const letters = await db.all("SELECT id FROM outbox WHERE kind = 'mail'");
    assert.equal(letters.length, 3, 'one of the set-up, one of each reset');
  });
});
