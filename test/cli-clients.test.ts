/** Applications on the command line, on a real database and with the protocol core's own rules. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextAuthBlock } from '../src/cli/blocks.ts';
import { commandLine } from './support/command-line.ts';

const create = (...rest: string[]) => ['clients', 'create', ...rest, '--json'];

test('each preset makes a client that the protocol core takes, with the members of its kind', async (t) => {
  const cli = commandLine(t);
  const device = 'urn:ietf:params:oauth:grant-type:device_code';
  const expected: Record<string, [method: string, grants: string[], redirects: string[]]> = {
    nextjs: [
      'client_secret_basic',
      ['authorization_code', 'refresh_token'],
      ['http://localhost:3001/api/auth/callback/latchkey'],
    ],
    spa: ['none', ['authorization_code', 'refresh_token'], ['http://localhost:5173/callback']],
    electron: [
      'none',
      ['authorization_code', 'refresh_token'],
      ['http://127.0.0.1/callback', 'com.example.app:/callback'],
    ],
    service: ['client_secret_basic', ['client_credentials'], []],
    device: ['none', [device, 'refresh_token'], []],
  };
  for (const [preset, [method, grants, redirects]] of Object.entries(expected)) {
    const { code, json, err } = await cli.run(create('--preset', preset, '--name', `My ${preset}`));
    assert.equal(code, 0, err);
    assert.deepEqual(
      [json.token_endpoint_auth_method, json.grant_types, json.redirect_uris, json.client_name, json.first_party],
      [method, grants, redirects, `My ${preset}`, true],
    );
    assert.equal(typeof json.client_secret, method === 'none' ? 'undefined' : 'string');
    assert.match(json.client_id, /^[\w-]{16}$/);
  }
  const nextjs = await cli.run(
    create('--preset', 'nextjs', '--redirect-uri', 'https://app.example.com/api/auth/callback/latchkey'),
  );
  assert.equal(nextjs.json.require_pkce, true);
  assert.deepEqual(nextjs.json.post_logout_redirect_uris, ['https://app.example.com', 'https://app.example.com/']);
});

test('the secret is printed by create and rotate-secret, and by nothing else', async (t) => {
  const cli = commandLine(t);
  const made = await cli.run(create('--preset', 'nextjs', '--id', 'shop'));
  const secret: string = made.json.client_secret;
  const rest = [
    ['clients', 'show', 'shop'],
    ['clients', 'list'],
    ['clients', 'update', 'shop', '--name', 'Shop'],
  ];
  for (const args of rest) {
    for (const flags of [[], ['--json']]) {
      const said = await cli.run([...args, ...flags]);
      assert.equal(said.code, 0, said.err);
      assert.ok(!`${said.out}${said.err}`.includes(secret), args.join(' '));
    }
  }
  const rotated = await cli.run(['clients', 'rotate-secret', 'shop', '--json']);
  assert.notEqual(rotated.json.client_secret, secret);
  const text = await cli.run(['clients', 'rotate-secret', 'shop']);
  await cli.within(async ({ clients }) =>
    assert.ok(text.out.includes((await clients.find('shop'))?.metadata.client_secret ?? '-')),
  );
  assert.equal((await cli.run(create('--preset', 'spa', '--id', 'page'))).code, 0);
  const none = await cli.run(['clients', 'rotate-secret', 'page']);
  assert.deepEqual([none.code, /has no secret/.test(none.err)], [4, true]);
});

test('the block of a Next.js client holds its own id, secret, issuer and address for both libraries', async (t) => {
  const cli = commandLine(t);
  const { out } = await cli.run(['clients', 'create', '--preset', 'nextjs', '--id', 'shop']);
  const secret = await cli.within(async ({ clients }) => (await clients.find('shop'))?.metadata.client_secret ?? '-');
  for (const line of [
    'LATCHKEY_ISSUER=http://localhost:3999',
    'LATCHKEY_CLIENT_ID=shop',
    `LATCHKEY_CLIENT_SECRET=${secret}`,
    'NEXTAUTH_URL=http://localhost:3001',
    'AUTH_URL=http://localhost:3001',
  ]) {
    assert.ok(out.split('\n').includes(line), line);
  }
  assert.match(out, /^AUTH_SECRET=[\w+/]{43}=$/m);
  assert.match(out, /type: 'oauth'/);
  assert.match(out, /type: 'oidc'/);
  const options = {
    issuer: 'http://localhost:3999',
    clientId: 'shop',
    clientSecret: secret,
    url: 'http://localhost:3001',
  };
  const steady = (text: string) => text.replaceAll(/_SECRET=[\w+/]{43}=$/gm, '_SECRET=');
  assert.ok(steady(out).endsWith(`${steady(nextAuthBlock(options))}\n`), 'the start prints the same block');
});

test('every other preset prints what to paste, with its id', async (t) => {
  const cli = commandLine(t);
  const block = async (preset: string) =>
    (await cli.run(['clients', 'create', '--preset', preset, '--id', `my-${preset}`])).out;
  assert.match(await block('spa'), /client_id: 'my-spa',\n {2}redirect_uri: 'http:\/\/localhost:5173\/callback'/);
  assert.match(await block('electron'), /^LATCHKEY_CLIENT_ID=my-electron$/m);
  assert.match(await block('service'), /--user 'my-service:[\w-]{43}'/);
  assert.match(await block('device'), /--data client_id=my-device /);
});

test('any member can be set as JSON or as text, and taken back', async (t) => {
  const cli = commandLine(t);
  const set = ['--set', 'require_pkce=false', '--set', 'logo_uri=https://app.example.com/logo.png?a=b'];
  const made = await cli.run(
    create('--preset', 'nextjs', '--id', 'shop', ...set, '--set', 'contacts=["ops@example.com"]'),
  );
  assert.equal(made.code, 0, made.err);
  assert.deepEqual(
    [made.json.require_pkce, made.json.logo_uri, made.json.contacts],
    [false, 'https://app.example.com/logo.png?a=b', ['ops@example.com']],
  );
  const changes = [
    '--set',
    'id_token_signed_response_alg=ES256',
    '--unset',
    'logo_uri',
    '--redirect-uri',
    'https://a.example.com/cb',
  ];
  const changed = await cli.run(['clients', 'update', 'shop', ...changes, '--json']);
  assert.equal(changed.code, 0, changed.err);
  assert.equal(changed.json.id_token_signed_response_alg, 'ES256');
  assert.ok(!('logo_uri' in changed.json));
  assert.deepEqual(changed.json.redirect_uris, ['https://a.example.com/cb']);
  assert.deepEqual((await cli.run(['clients', 'show', 'shop', '--json'])).json, changed.json);
});

test('a time span may be written in words and is kept in seconds', async (t) => {
  const cli = commandLine(t);
  const made = await cli.run(create('--preset', 'electron', '--id', 'desk', '--set', 'refresh_token_idle_ttl=7d'));
  assert.equal(made.json.refresh_token_idle_ttl, 7 * 86_400, made.err);
  const longer = await cli.run(['clients', 'update', 'desk', '--set', 'refresh_token_absolute_ttl=1d']);
  assert.deepEqual([longer.code, /longer than refresh_token_absolute_ttl/.test(longer.err)], [1, true]);
});

test('a client can be switched off and on again', async (t) => {
  const cli = commandLine(t);
  await cli.run(create('--preset', 'spa', '--id', 'page'));
  const state = async (flag: string) => (await cli.run(['clients', 'update', 'page', flag, '--json'])).json.enabled;
  assert.equal(await state('--disable'), false);
  await cli.within(async ({ clients }) => assert.equal(await clients.metadata('page'), undefined));
  assert.equal(await state('--enable'), true);
  const both = await cli.run(['clients', 'update', 'page', '--enable', '--disable']);
  assert.deepEqual([both.code, /cannot be used with/.test(both.err)], [2, true]);
});

test('a public client that becomes confidential says where its secret is', async (t) => {
  const cli = commandLine(t);
  await cli.run(create('--preset', 'spa', '--id', 'page'));
  const said = await cli.run(['clients', 'update', 'page', '--set', 'token_endpoint_auth_method=client_secret_basic']);
  assert.equal(said.code, 0, said.err);
  assert.match(said.out, /latchkey clients rotate-secret page/);
});

test('metadata that no client can have is refused in words, and nothing is stored', async (t) => {
  const cli = commandLine(t);
  const refused: Array<[args: string[], words: RegExp]> = [
    [
      ['--preset', 'nextjs', '--redirect-uri', 'http://app.example.com/callback'],
      /redirect_uris\.0 \(http:\/\/app\.example\.com\/callback\) is plain http/,
    ],
    [['--preset', 'nextjs', '--redirect-uri', 'https://app.example.com/callback#part'], /fragment/],
    [['--preset', 'nextjs', '--redirect-uri', 'javascript:alert(1)'], /redirect_uris/],
    [['--preset', 'electron', '--redirect-uri', 'myapp:/callback'], /redirect_uris/],
    [['--preset', 'nextjs', '--redirect-uri', 'callback'], /redirect_uris/],
    [['--preset', 'nextjs', '--set', 'require_pkce=perhaps'], /require_pkce/],
    [['--preset', 'nextjs', '--set', 'response_types=["token"]'], /response_types/],
    [['--preset', 'nextjs', '--set', 'colour=red'], /colour/],
    [['--preset', 'nextjs', '--set', '__proto__={"first_party":true}'], /__proto__/],
    [['--preset', 'nextjs', '--set', 'redirect_uris=https://a.example.com/'], /redirect_uris/],
    [['--preset', 'nextjs', '--set', 'id_token_signed_response_alg=none'], /id_token_signed_response_alg/],
    [['--preset', 'nextjs', '--set', 'client_name=7'], /client_name/],
  ];
  for (const [args, words] of refused) {
    const said = await cli.run(create(...args));
    assert.equal(said.code, 1, `${args.join(' ')}: ${said.out}${said.err}`);
    assert.equal(said.json.code, 'invalid_request');
    assert.match(said.err, words, args.join(' '));
  }
  assert.deepEqual((await cli.run(['clients', 'list', '--json'])).json, { items: [], next: null });
});

test('what is wrong with the command itself says what to write instead', async (t) => {
  const cli = commandLine(t);
  const wrong: Array<[args: string[], words: RegExp]> = [
    [create(), /--preset nextjs\|spa\|electron\|service\|device/],
    [create('--preset', 'nextjs', '--set', 'require_pkce'), /key=value/],
    [create('--preset', 'nextjs', '--set', 'client_secret=mine'), /rotate-secret/],
    [create('--preset', 'nextjs', '--set', 'client_id=mine'), /--id/],
    [create('--preset', 'service', '--redirect-uri', 'https://a.example.com/'), /has no redirect/],
    [create('--preset', 'rails'), /Allowed choices are nextjs, spa/],
    [['clients', 'update', 'shop'], /--set, --unset/],
    [['clients', 'update', 'shop', '--unset', 'client_id'], /--id/],
    [['clients', 'remove', 'shop'], /--yes/],
  ];
  for (const [args, words] of wrong) {
    const said = await cli.run(args);
    assert.equal(said.code, 2, args.join(' '));
    assert.match(said.err, words);
  }
});

test('somebody else is asked for consent, an own application is not', async (t) => {
  const cli = commandLine(t);
  const other = await cli.run(create('--preset', 'nextjs', '--third-party'));
  assert.equal(other.json.first_party, false);
  const plain = await cli.run(create('--redirect-uri', 'https://app.example.com/callback'));
  assert.deepEqual([plain.code, plain.json.first_party, typeof plain.json.client_secret], [0, true, 'string']);
});

test('a client of the configuration file is read here and changed there', async (t) => {
  const cli = commandLine(t);
  await cli.run(['migrate']);
  await cli.within(({ clients }) =>
    clients.apply('config', [{ client_id: 'shop', redirect_uris: ['https://shop.example.com/cb'] }]),
  );
  assert.equal((await cli.run(['clients', 'show', 'shop', '--json'])).json.source, 'config');
  for (const args of [
    ['update', 'shop', '--name', 'Mine'],
    ['remove', 'shop', '--yes'],
    ['rotate-secret', 'shop'],
  ]) {
    const said = await cli.run(['clients', ...args]);
    assert.deepEqual([said.code, /configuration file/.test(said.err)], [4, true]);
  }
  assert.equal((await cli.run(create('--preset', 'nextjs', '--id', 'shop'))).code, 4);
});

test('clients are listed by id with a cursor, and one that is gone is exit code 3', async (t) => {
  const cli = commandLine(t);
  for (const id of ['c', 'a', 'b']) await cli.run(create('--preset', 'spa', '--id', id));
  const first = await cli.run(['clients', 'list', '--limit', '2', '--json']);
  assert.deepEqual(
    [first.json.items.map((item: { client_id: string }) => item.client_id), first.json.next],
    [['a', 'b'], 'b'],
  );
  const second = await cli.run(['clients', 'list', '--cursor', 'b', '--json']);
  assert.deepEqual(
    [second.json.items.map((item: { client_id: string }) => item.client_id), second.json.next],
    [['c'], null],
  );
  assert.equal((await cli.run(['clients', 'remove', 'c', '--yes', '--json'])).json.removed, true);
  for (const args of [['show'], ['update', '--name', 'x'], ['remove', '--yes'], ['rotate-secret']]) {
    assert.equal((await cli.run(['clients', ...args, 'c'])).code, 3, args[0]);
  }
});
