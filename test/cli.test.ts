/** The command line as such: help, exit codes, streams, and what reaches a terminal. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import Sqlite from 'better-sqlite3';
import type { Command } from 'commander';
import { facts, json, safe, table } from '../src/cli/printing.ts';
import { buildCommand } from '../src/cli/program.ts';
import { createTerminal } from '../src/cli/terminal.ts';
import { ConfigError } from '../src/config/fault.ts';
import { DatabaseFault } from '../src/db/connect.ts';
import { AppError } from '../src/errors.ts';
import { commandLine, PRODUCTION } from './support/command-line.ts';

const never = async () => assert.fail('nothing is opened');
const silent = { out: () => {}, err: () => {}, readInput: never };

function commands(): Array<{ path: string[]; command: Command }> {
  const tree = buildCommand({
    ...silent,
    version: '1',
    open: never,
    serve: never,
    generate: never,
    address: () => ({ host: '', port: 0 }),
  });
  const below = (command: Command, path: string[]): Array<{ path: string[]; command: Command }> =>
    command.commands.length === 0
      ? [{ path, command }]
      : command.commands.flatMap((each) => below(each, [...path, each.name()]));
  return below(tree, []);
}

test('every command has help with an example, without opening anything', async (t) => {
  const cli = commandLine(t, {}, { open: never, address: never as never });
  assert.ok(commands().length >= 20);
  for (const { path } of commands()) {
    for (const args of [
      [...path, '--help'],
      [...path, '-h'],
      ['help', ...path],
    ]) {
      const said = await cli.run(args);
      assert.deepEqual([said.code, said.err], [0, ''], args.join(' '));
      assert.match(said.out, new RegExp(`^Usage: latchkey ${path.join(' ')}`));
      assert.match(said.out, /^Example:\n {2}.*latchkey /m, args.join(' '));
    }
  }
  const top = await cli.run(['--help']);
  for (const [group] of commands().map(({ path }) => path)) assert.match(top.out, new RegExp(`^ {2}${group}\\b`, 'm'));
  assert.match(top.out, /Exit codes:/);
  assert.deepEqual((await cli.run(['--version'])).out, '0.0.0-test\n');
});

test('the reference names every command and every option', () => {
  const reference = readFileSync(new URL('../docs/cli.md', import.meta.url), 'utf8');
  for (const { path, command } of commands()) {
    assert.ok(reference.includes(`\`${path.join(' ')}`), path.join(' '));
    for (const { long } of command.options) assert.ok(reference.includes(`${long}`), `${path.join(' ')} ${long}`);
  }
});

test('a word that is no command or option is exit code 2, and near ones are named', async (t) => {
  const cli = commandLine(t, {}, { open: never });
  const near: Array<[string[], RegExp]> = [
    [['usrs'], /^latchkey: unknown command 'usrs'\n\(Did you mean users\?\)\n/],
    [['users', 'lst'], /Did you mean list\?/],
    [['clients', 'rotate-secrets', 'x'], /Did you mean rotate-secret\?/],
    [['users', 'list', '--limti', '3'], /Did you mean --limit\?/],
    [['users', 'show'], /missing required argument 'id-or-email'/],
    [['users', 'show', 'a', 'b'], /too many arguments/],
    [['users', 'create', '--email', 'a@example.com'], /--name/],
    [['users', 'create', '--email', 'a@example.com', '--name', ' '], /must not be empty/],
  ];
  for (const [args, words] of near) {
    const said = await cli.run(args);
    assert.deepEqual([said.code, said.out], [2, ''], args.join(' '));
    assert.match(said.err, words);
    const forScripts = await cli.run([...args, '--json']);
    assert.deepEqual([forScripts.code, forScripts.json.code, forScripts.json.status], [2, 'usage', 400]);
  }
  const group = await cli.run(['users']);
  assert.deepEqual([group.code, group.out], [2, '']);
  assert.match(group.err, /Usage: latchkey users/);
});

test('nothing is serve, and its exit code is the exit code', async (t) => {
  for (const args of [[], ['serve']]) {
    assert.equal((await commandLine(t, {}, { serve: async () => 70 }).run(args)).code, 70);
  }
});

test('each kind of failure has its exit code, one sentence for people and one object for scripts', async (t) => {
  const expected: Array<[error: unknown, exit: number, code: string]> = [
    [new AppError('not_found', { message: 'There is no such thing.' }), 3, 'not_found'],
    [new AppError('conflict', { message: 'There is one already.' }), 4, 'conflict'],
    [new AppError('forbidden', { message: 'No.' }), 1, 'forbidden'],
    [new AppError('storage_unavailable', { message: 'The store is away.' }), 69, 'storage_unavailable'],
    [new AppError('busy', { message: 'Too much to do.' }), 69, 'busy'],
    [new DatabaseFault('PostgreSQL does not answer.'), 69, 'storage_unavailable'],
    [new ConfigError([{ name: 'LATCHKEY_PORT', problem: 'is not a number' }]), 78, 'configuration'],
    [Object.assign(new Error('The port is taken.'), { exitCode: 69 }), 69, 'unavailable'],
  ];
  for (const [error, exit, code] of expected) {
    const open = async () => {
      throw error;
    };
    const said = await commandLine(t, {}, { open }).run(['users', 'list', '--json']);
    assert.deepEqual([said.code, said.json.code, said.err], [exit, code, `latchkey: ${(error as Error).message}\n`]);
    assert.deepEqual(Object.keys(said.json), ['type', 'title', 'status', 'detail', 'code']);
    const plain = await commandLine(t, {}, { open }).run(['users', 'list']);
    assert.equal(plain.out, '');
  }
});

test('a bug is exit code 70: the whole error for people, none of it for scripts', async (t) => {
  const open = async () => {
    throw new TypeError('reading undefined');
  };
  const said = await commandLine(t, {}, { open }).run(['users', 'list', '--json']);
  assert.deepEqual([said.code, said.json.code, said.json.status], [70, 'internal_error', 500]);
  assert.match(said.err, /This is a bug.*\nTypeError: reading undefined\n {4}at /);
  assert.ok(!said.out.includes('reading undefined'));
});

test('the services are closed after a command, also after one that failed', async (t) => {
  for (const pending of [async () => [], async () => Promise.reject(new Error('broken'))]) {
    let closed = 0;
    const services = {
      pending,
      development: true,
      accounts: { list: async () => [] },
      close: async () => {
        closed += 1;
      },
    };
    await commandLine(t, {}, { open: async () => services as never }).run(['users', 'list']);
    assert.equal(closed, 1);
  }
});

test('migrate applies and says what, then has nothing to do; in production nothing else does it', async (t) => {
  const cli = commandLine(t, PRODUCTION);
  const early = await cli.run(['users', 'list']);
  assert.deepEqual([early.code, early.out], [69, ''], early.err);
  assert.match(early.err, /There is no database at .*latchkey migrate/);
  // What another release began has no table that this one asks for.
  new Sqlite(join(cli.dataDir, 'latchkey.db')).exec('CREATE TABLE begun (id text)').close();
  const behind = await cli.run(['users', 'list']);
  assert.deepEqual([behind.code, behind.out], [78, ''], behind.err);
  assert.match(behind.err, /lacks the migrations 0001_secrets.*Run `latchkey migrate` first/);
  const first = await cli.run(['migrate']);
  assert.equal(first.code, 0, first.err);
  assert.match(first.out, /^applied 0001_secrets\napplied 0002_accounts\n/);
  assert.equal((await cli.run(['migrate'])).out, 'nothing to do\n');
  assert.deepEqual((await cli.run(['migrate', '--json'])).json, { applied: [] });
  assert.equal((await cli.run(['users', 'list'])).code, 0);
  const mail = await cli.run(['mail', 'test', 'you@example.com', '--json']);
  assert.deepEqual([mail.code, mail.json.code], [69, 'unavailable']);
  assert.match(mail.err, /The mail was not sent: .*127\.0\.0\.1/);
});

test('a mail test is caught in development, and refuses what is no address before it opens anything', async (t) => {
  const cli = commandLine(t);
  const sent = await cli.run(['mail', 'test', 'You@Example.com']);
  assert.equal(sent.code, 0, sent.err);
  assert.match(sent.out, /Sent to you@example\.com\. .*http:\/\/localhost:3999\/dev\/mail/);
  await cli.within(async ({ mailbox }) =>
    assert.deepEqual(
      mailbox?.list().map((mail) => mail.to),
      ['you@example.com'],
    ),
  );
  const bad = await commandLine(t, {}, { open: never }).run(['mail', 'test', 'you']);
  assert.equal(bad.code, 2);
});

test('a health check asks the address of the settings, and is exit code 0 or 1', async (t) => {
  const asked: string[] = [];
  let status = 200;
  const server = createServer((req, res) => {
    asked.push(req.url ?? '');
    res.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const check = (host: string, at = port) =>
    commandLine(t, {}, { open: never, address: () => ({ host, port: at }) }).run(['healthcheck', '--json']);
  for (const host of ['', '0.0.0.0', '127.0.0.1', 'localhost']) assert.equal((await check(host)).code, 0, host);
  assert.deepEqual(new Set(asked), new Set(['/livez']));
  status = 503;
  const ill = await check('127.0.0.1');
  assert.deepEqual([ill.code, ill.json.code], [1, 'not_alive']);
  assert.match((await check('127.0.0.1', 1)).err, /does not answer \(ECONNREFUSED\)/);
});

test('control characters in data never reach the terminal, and JSON keeps its value', async (t) => {
  const cli = commandLine(t);
  const name = 'Eve\u001b[2J\u009b1m\u202e\u2028\u0007x';
  await cli.run(['users', 'create', '--email', 'eve@example.com', '--name', 'Eve']);
  // No door takes such a name; a row of an older version, or of a restored copy, may have one.
  await cli.within(({ db }) => db.run('UPDATE accounts SET name = ?', name));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for.
  const unsafe = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u2028]/;
  for (const args of [['list'], ['show', 'eve@example.com'], ['list', '--json'], ['show', '\u001b[31m@example.com']]) {
    const said = await cli.run(['users', ...args]);
    assert.ok(!unsafe.test(said.out + said.err), JSON.stringify(said.out + said.err));
  }
  assert.equal((await cli.run(['users', 'list', '--json'])).json.items[0].name, name);
  assert.match((await cli.run(['users', 'show', 'eve@example.com'])).out, /Eve\\u001b\[2J\\u009b1m\\u202e/);
  assert.ok(!unsafe.test((await cli.run(['users', 'sho\u001b[31mw'])).err));
});

test('tables and facts keep one line a row, whatever is in a cell', () => {
  assert.equal(
    table(
      ['A', 'B'],
      [
        ['1\n2', 'x'],
        ['é', ''],
      ],
    ),
    'A         B\n1\\u000a2  x\né',
  );
  assert.equal(
    facts([
      ['one', ['a', 'b']],
      ['two', []],
      ['no', null],
      ['yes', true],
    ]),
    'one  a\n     b\ntwo  (none)\nyes  yes',
  );
  assert.equal(safe('\ud800'), '\ufffd');
  assert.deepEqual(JSON.parse(json({ a: '\u007f\u2066', b: ['\n'] })), { a: '\u007f\u2066', b: ['\n'] });
});

test('a question takes an answer, and the end of input or Ctrl-C is none', async (t) => {
  const ask = async (typed: string | null, secret = false) => {
    const { terminal, shown, stdin } = person(t);
    const answer = (secret ? terminal.askSecret : terminal.ask)?.('Sure? ') ?? assert.fail();
    if (typed === null) stdin.end();
    else stdin.write(typed);
    return [await answer, shown()];
  };
  const [answer, question] = await ask('yes\n');
  assert.equal(answer, 'yes');
  assert.match(question ?? '', /Sure\? /);
  assert.equal((await ask(null))[0], '');
  assert.equal((await ask('ye\u0003'))[0], '');
  assert.equal((await ask('\u0004'))[0], '');
  const [password, shown] = await ask('hunter2\n', true);
  assert.deepEqual([password, shown], ['hunter2', 'Sure? \n']);
});

test('without a person nobody is asked', () => {
  const { terminal } = person(undefined, false);
  assert.deepEqual([terminal.ask, terminal.askSecret], [undefined, undefined]);
});

test('an answer that can not be written is a failure, a reader that went away is none', async (t) => {
  for (const [code, exit] of [
    ['ENOSPC', 69],
    ['EPIPE', 0],
  ] as const) {
    const { stdin, stderr } = person(t);
    const write = (_chunk: unknown, _encoding: unknown, done: (error: Error) => void) => {
      done(Object.assign(new Error(code), { code }));
    };
    const terminal = createTerminal({ stdin, stderr, stdout: new Writable({ write }) } as never);
    assert.equal((await commandLine(t, {}, terminal).run(['users', 'list'])).code, exit);
    assert.equal(/could not be written.*ENOSPC/.test(String(stderr.read())), exit !== 0);
  }
});

function person(t?: TestContext, isTTY = true) {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  t?.after(() => stdin.destroy());
  Object.assign(stdin, { isTTY, setRawMode: () => stdin });
  Object.assign(stderr, { isTTY });
  const terminal = createTerminal({ stdin, stdout, stderr } as never);
  return { terminal, stdin, stderr, shown: () => String(stderr.read() ?? '') };
}
