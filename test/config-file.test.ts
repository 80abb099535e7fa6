/** The YAML file: strict, with the line of every fault, and without a secret in it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { clientMetadataFaults, redirectUriFault } from '../src/config/client-metadata.ts';
import { ConfigError } from '../src/config/fault.ts';
import { loadConfigFile } from '../src/config/file.ts';

const SECRET = 'b7Jq0-Zk2vXw9RtY5uNc';
const env = { SHOP_SECRET: SECRET };

function load(text: string, files: Record<string, string> = {}) {
  const all: Record<string, string> = { '/etc/latchkey/config.yaml': text, ...files };
  const readFile = (path: string) => {
    const found = all[path];
    if (found === undefined) throw Object.assign(new Error('no file'), { code: 'ENOENT' });
    return found;
  };
  return loadConfigFile('/etc/latchkey/config.yaml', { env, readFile });
}

function faults(text: string): string[] {
  try {
    load(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults.map(({ name, problem }) => `${name.replace('/etc/latchkey/', '')} ${problem}`);
  }
  return [];
}

const client = (members: string) =>
  `clients:\n  - client_id: shop\n    client_secret: { env: SHOP_SECRET }\n${members}`;

test('the example of the documentation is valid and means what it says', () => {
  const text = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(text) ?? [];
  const readFile = (path: string) => (path.endsWith('.yaml') ? example : SECRET);
  const variables = { SHOP_CLIENT_SECRET: SECRET, CALENDAR_CLIENT_SECRET: SECRET };
  const { clients, resources, roles, branding } = loadConfigFile('/c.yaml', { env: variables, readFile });
  const [shop, desk, reports, calendar] = clients;
  assert.equal(shop?.['client_secret'], SECRET);
  assert.equal(shop?.['first_party'], true);
  assert.deepEqual(shop?.['grant_types'], ['authorization_code', 'refresh_token']);
  assert.equal(desk?.['token_endpoint_auth_method'], 'none');
  assert.ok(desk && !('client_secret' in desk));
  assert.deepEqual([reports?.['response_types'], reports?.['redirect_uris']], [[], []]);
  assert.equal(calendar?.['require_pkce'], false);
  assert.deepEqual(resources[0]?.scopes[0], { name: 'orders:read', title: 'See your orders' });
  assert.deepEqual(
    [resources[0]?.format, resources[0]?.accessTokenTtl, resources[0]?.signingAlg],
    ['jwt', 900, 'ES256'],
  );
  assert.deepEqual(
    roles.map(({ name, requireSecondFactor }) => [name, requireSecondFactor]),
    [
      ['admin', true],
      ['guest', false],
    ],
  );
  assert.equal(branding.name, 'Acme');
});

test('an empty file declares nothing', () => {
  assert.deepEqual(load('# nothing yet\n'), { clients: [], resources: [], roles: [], branding: {} });
});

test('roles have names of their own, of small letters', () => {
  assert.match(faults('roles: [{ name: Admin }]\n').join(), /roles\[0\]\.name .*small letters/);
  assert.match(faults('roles:\n  - name: a\n  - name: a\n').join(), /roles\[1\]\.name .*is there twice/);
});

test('a client that only names itself gets the defaults of a confidential web application', () => {
  const [shop] = load(client('    redirect_uris: [https://shop.example/cb]\n')).clients;
  assert.deepEqual(shop, {
    client_id: 'shop',
    client_secret: SECRET,
    application_type: 'web',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: ['https://shop.example/cb'],
    token_endpoint_auth_method: 'client_secret_basic',
    id_token_signed_response_alg: 'RS256',
    first_party: false,
    require_pkce: true,
    require_second_factor: false,
    enabled: true,
  });
});

test('a service needs neither redirect_uris nor response_types', () => {
  const [service] = load(client('    grant_types: [client_credentials]\n')).clients;
  assert.deepEqual([service?.['redirect_uris'], service?.['response_types']], [[], []]);
});

test('faults of all kinds come at once, each with its line and path, in the order of the file', () => {
  const found = faults(
    [
      'clients:',
      '  - client_id: shop',
      '    client_name: 7',
      '    client_secret: { env: SHOP_SECRET }',
      '    redirect_uri: https://shop.example/cb',
      '    redirect_uris: ["http://shop.example/cb"]',
      '    grant_types: [implicit]',
      '  - client_id: shop',
      '    token_endpoint_auth_method: none',
      '    redirect_uris: [https://other.example/cb]',
      'resources:',
      '  - identifier: api',
      '    access_token_ttl: 2h',
      '    scopes: [openid, { name: a, titel: A }, b, b]',
      'branding:',
      '  accent: red',
      'brandin: {}',
    ].join('\n'),
  );
  assert.deepEqual(
    found.map((each) => each.slice(0, 58).trimEnd()),
    [
      'config.yaml:3 clients[0].client_name is a number instead o',
      'config.yaml:5 clients[0].redirect_uri is not known; did yo',
      'config.yaml:6 clients[0].redirect_uris[0] ("http://shop.ex',
      'config.yaml:7 clients[0].grant_types[0] ("implicit") is no',
      'config.yaml:8 clients[1].client_id ("shop") is there twice',
      'config.yaml:12 resources[0].identifier ("api") is not an a',
      'config.yaml:12 resources[0].name is missing',
      'config.yaml:13 resources[0].access_token_ttl ("2h") is not',
      'config.yaml:14 resources[0].scopes[0] ("openid") is a scop',
      'config.yaml:14 resources[0].scopes[1].titel is not known;',
      'config.yaml:14 resources[0].scopes[3] ("b") is there twice',
      'config.yaml:16 branding.accent ("red") is not a colour lik',
      'config.yaml:17 brandin is not known; did you mean branding',
    ],
  );
});

test('a literal secret is refused with the way to do it, and not repeated', () => {
  for (const member of ['client_secret', 'client_secrets', 'password']) {
    const found = faults(
      `clients:\n  - client_id: a\n    redirect_uris: [https://a.example/]\n    ${member}: hidden-word-1\n`,
    );
    assert.doesNotMatch(found.join(), /hidden-word/, member);
    assert.match(
      found.join(),
      member === 'client_secret' ? /write \{ env: NAME \} or \{ file: PATH \}/ : /is not known/,
    );
  }
});

test('a secret that can not be found, or is none, is a fault of its line', () => {
  const from = (reference: string) =>
    faults(
      `clients:\n  - client_id: a\n    grant_types: [client_credentials]\n    client_secret: ${reference}\n`,
    ).join();
  assert.match(
    from('{ env: NOWHERE }'),
    /config\.yaml:4 clients\[0\]\.client_secret refers to the variable NOWHERE, which is not set/,
  );
  assert.match(from('{ file: none }'), /the file "none", which can't be read \(there is no such file\)/);
  assert.match(from('{ env: SHOP_SECRET, file: x }'), /neither \{ env: NAME \} nor \{ file: PATH \}/);
  const weak = {
    env: { WEAK: 'hidden-word' },
    readFile: () => client('').replace('SHOP_SECRET', 'WEAK').concat('    grant_types: [client_credentials]'),
  };
  assert.throws(
    () => loadConfigFile('/c.yaml', weak),
    (error: Error) => /shorter than 16/.test(error.message) && !/hidden-word/.test(error.message),
  );
});

test('a file of a secret is looked for beside the configuration file', () => {
  const text = client('    grant_types: [client_credentials]\n').replace(
    '{ env: SHOP_SECRET }',
    '{ file: secrets/shop }',
  );
  assert.equal(load(text, { '/etc/latchkey/secrets/shop': `${SECRET}\n` }).clients[0]?.['client_secret'], SECRET);
});

test('a confidential client without a secret, and a public one with, are faults', () => {
  assert.match(
    faults('clients:\n  - { client_id: a, redirect_uris: [https://a.example/] }').join(),
    /client_secret is missing/,
  );
  const pub = client('    token_endpoint_auth_method: none\n    redirect_uris: [https://a.example/]\n');
  assert.match(faults(pub).join(), /client_secret has no use/);
});

test('what is no YAML is said with its line; so are doubled members and bombs of aliases', () => {
  assert.match(faults('clients: [\n').join(), /^config\.yaml:\d is no valid YAML/);
  assert.match(
    faults('branding: {}\nbranding: {}\n').join(),
    /^config\.yaml:2 is no valid YAML: Map keys must be unique/,
  );
  const levels = Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(', ')}]`);
  assert.match(faults(['a0: &a0 [x, x]', ...levels].join('\n')).join(), /can't be expanded/);
});

test('members with inherited names are not known either (X06)', () => {
  assert.match(faults('__proto__: { clients: [] }\n').join(), /__proto__ is not known/);
  assert.match(
    faults(client('    redirect_uris: [https://a.example/]\n    constructor: x\n')).join(),
    /constructor is not known/,
  );
});

test('redirect addresses: https, loopback http, and for native clients a reversed domain (P03, P04)', () => {
  const web = (uri: string) => redirectUriFault(uri, { applicationType: 'web' });
  const native = (uri: string) => redirectUriFault(uri, { applicationType: 'native' });
  const good = {
    web: ['https://a.example/cb?x=1', 'http://localhost:3001/cb', 'http://127.0.0.1/cb', 'http://[::1]:9/cb'],
    native: ['http://127.0.0.1/cb', 'com.example.app:/cb', 'https://a.example/cb'],
  };
  for (const uri of good.web) assert.equal(web(uri), undefined, uri);
  for (const uri of good.native) assert.equal(native(uri), undefined, uri);
  const never = [
    'http://a.example/cb',
    'http://localhost.a.example/',
    'https://a.example/#',
    'https://*.a.example/',
    'https://u@a.example/',
    'https://a.example/../b',
    'https://a.example\\b',
    'https://a.example/ b',
    'https://ä.example/',
    '/cb',
    '',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'myapp:/cb',
    'myapp://a.b/cb',
  ];
  for (const uri of never) {
    assert.notEqual(web(uri), undefined, uri);
    assert.notEqual(native(uri), undefined, uri);
  }
  assert.match(web('com.example.app:/cb') ?? '', /application_type: native/);
  assert.match(native('https://localhost/cb') ?? '', /plain http/);
});

test('metadata of the command line is checked by the same rules', () => {
  const good = { client_name: 'A', redirect_uris: ['https://a.example/cb'] };
  assert.deepEqual(clientMetadataFaults(good), []);
  assert.deepEqual(clientMetadataFaults({ ...good, client_secret: 'kept' }), []);
  const problems = (changes: object) =>
    clientMetadataFaults({ ...good, ...changes }).map(({ member, problem }) => `${member} ${problem}`);
  assert.match(problems({ redirect_uris: ['http://a.example/cb'] }).join(), /^redirect_uris\.0 is plain http/);
  assert.match(problems({ colour: 'red' }).join(), /^colour is not known/);
  assert.match(problems({ require_pkce: 'no' }).join(), /^require_pkce is a text instead of true or false/);
  assert.match(problems({ token_endpoint_auth_method: 'none', require_pkce: false }).join(), /always needs PKCE/);
  assert.match(problems({ token_endpoint_auth_method: 'private_key_jwt' }).join(), /neither jwks nor jwks_uri/);
  assert.match(problems({ grant_types: ['refresh_token'], redirect_uris: [] }).join(), /no grant that would give one/);
  assert.match(
    problems({ grant_types: ['client_credentials'], token_endpoint_auth_method: 'none', redirect_uris: [] }).join(),
    /without credentials/,
  );
  assert.match(problems({ client_id: 'latchkey-account' }).join(), /reserved/);
  assert.match(problems({ refresh_token_idle_ttl: '2d', refresh_token_absolute_ttl: '1d' }).join(), /longer than/);
});
