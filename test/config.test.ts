/** Settings: read once, checked together, every fault in one message, no secret in any word. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../src/config/fault.ts';
import { loadSettings } from '../src/config/settings.ts';
import { mailbox } from '../src/config/values.ts';

type Files = Record<string, string>;

/** Loads with files that exist only here. */
function load(env: Record<string, string> = {}, files: Files = {}) {
  const readFile = (path: string) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('no file'), { code: 'ENOENT' });
    return text;
  };
  return loadSettings({ env, cwd: '/srv/latchkey', readFile });
}

function faults(env: Record<string, string>, files?: Files): string {
  try {
    load(env, files);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.exitCode, 78);
    return error.message;
  }
  return '';
}

const key = () => randomBytes(32).toString('base64');
const production = () => ({
  LATCHKEY_ISSUER: 'https://login.example.com',
  LATCHKEY_SECRET_KEY: key(),
  LATCHKEY_SMTP_URL: 'smtps://user:hidden-word@mail.example.com:465',
  LATCHKEY_TRUST_PROXY: '10.0.0.1',
});

test('without any setting it is development on loopback port 3000, with secrets and mail of its own', () => {
  const { settings, warnings } = load();
  assert.equal(settings.issuer.origin, 'http://localhost:3000');
  assert.equal(settings.host, '127.0.0.1');
  assert.equal(settings.dataDir, '/srv/latchkey/data');
  assert.equal(settings.development, true);
  assert.equal(settings.secureCookies, false);
  assert.deepEqual([settings.secretKeys, settings.smtpUrl, settings.databaseUrl], [[], undefined, undefined]);
  assert.deepEqual(warnings, []);
});

test('lifetimes are those of the requirements P10, P14 and S01', () => {
  const { ttl } = load().settings;
  const day = 86_400;
  assert.deepEqual(ttl.refreshToken, { idle: 7 * day, absolute: 90 * day });
  assert.deepEqual(ttl.session, { idle: 14 * day, absolute: 30 * day });
  assert.deepEqual(load().settings.factors.strong, { ttl: day, idle: 3600 });
  assert.deepEqual([ttl.accessToken, ttl.authorizationCode], [900, 60]);
  assert.match(faults({ LATCHKEY_SESSION_ABSOLUTE_TTL: '31d' }), /more than 30d/);
  assert.match(faults({ LATCHKEY_AUTHORIZATION_CODE_TTL: '61' }), /more than 60s/);
  assert.match(faults({ LATCHKEY_SESSION_IDLE_TTL: '2d', LATCHKEY_SESSION_ABSOLUTE_TTL: '1d' }), /longer than/);
});

test('every loopback host is development, unless NODE_ENV is production', () => {
  for (const host of ['localhost', 'LOCALHOST', 'app.localhost', '127.0.0.1', '127.9.9.9', '[::1]']) {
    assert.equal(load({ LATCHKEY_ISSUER: `http://${host}:3000` }).settings.development, true, host);
  }
  for (const host of ['localhost.example.com', '128.0.0.1', '[::2]', 'notlocalhost']) {
    assert.match(faults({ LATCHKEY_ISSUER: `http://${host}:3000` }), /not loopback/, host);
  }
  assert.match(faults({ NODE_ENV: 'production' }), /not https, in production mode \(NODE_ENV is production\)/);
});

test('production mode wants https, a secret key and a mail server, and names all that is missing at once', () => {
  const message = faults({ LATCHKEY_ISSUER: 'http://login.example.com' });
  assert.match(message, /has 3 faults/);
  for (const name of ['ISSUER', 'SECRET_KEY', 'SMTP_URL']) assert.match(message, new RegExp(`  LATCHKEY_${name} is`));
  const { settings, warnings } = load(production());
  assert.equal(settings.development, false);
  assert.equal(settings.secureCookies, true);
  assert.equal(settings.host, '0.0.0.0');
  assert.equal(settings.mailFrom, 'Latchkey <no-reply@login.example.com>');
  assert.deepEqual(settings.trustProxy, ['10.0.0.1/32']);
  assert.deepEqual(warnings, []);
});

test('an issuer is an origin', () => {
  for (const bad of [
    'login.example.com',
    'ftp://a.example',
    'https://a.example/path',
    'https://a.example/?',
    'https://a.example#x',
    'https://u:p@a.example',
  ]) {
    assert.match(
      faults({ ...production(), LATCHKEY_ISSUER: bad }),
      /LATCHKEY_ISSUER \(.*\n {4}Expected: .*\n {4}Example: /,
      bad,
    );
  }
  assert.equal(
    load({ ...production(), LATCHKEY_ISSUER: 'https://Login.Example.com:443/' }).settings.issuer.origin,
    'https://login.example.com',
  );
});

test('the issuer of development follows the port; a port that does not fit is doubted', () => {
  assert.equal(load({ LATCHKEY_PORT: '4000' }).settings.issuer.origin, 'http://localhost:4000');
  const { warnings } = load({ LATCHKEY_ISSUER: 'http://localhost:4000' });
  assert.match(warnings.join(), /says port 4000, but the server listens on 3000/);
});

test('each bad value is named with what was expected and an example, all in one message', () => {
  const bad = {
    LATCHKEY_PORT: '70000',
    LATCHKEY_LOG_LEVEL: 'loud',
    LATCHKEY_REGISTRATION: 'opn',
    LATCHKEY_TRUST_PROXY: '10.0.0.0/8, proxy',
    LATCHKEY_OUTBOUND_ALLOW: '10.0.0.0/33',
    LATCHKEY_HSTS_SUBDOMAINS: 'yes',
    LATCHKEY_ACCESS_TOKEN_TTL: '15 minutes',
    LATCHKEY_MAIL_FROM: 'nobody',
    LATCHKEY_REGISTRATION_DOMAINS: 'example.com, ex_ample',
    LATCHKEY_PASSWORD_MIN_LENGTH: '8',
    LATCHKEY_DATABASE_URL: 'mysql://u:hidden-word@db/x',
    LATCHKEY_REDIS_URL: 'redis.internal:6379',
    LATCHKEY_SMTP_URL: 'smtp://u:hidden-word@mail?tls=no',
    LATCHKEY_METRICS_TOKEN: 'hidden-word',
  };
  const message = faults(bad);
  for (const name of Object.keys(bad))
    assert.match(message, new RegExp(`  ${name}[ (].*\\n {4}Expected: .*\\n {4}Example: `));
  assert.match(message, new RegExp(`has ${Object.keys(bad).length} faults`));
  assert.doesNotMatch(message, /hidden-word/);
});

test('a fault in a setting is not reported as its absence too', () => {
  const message = faults({ ...production(), LATCHKEY_SECRET_KEY: 'AAAA' });
  assert.match(message, /has a fault:\n\n {2}LATCHKEY_SECRET_KEY decodes to 3 bytes instead of 32/);
});

test('secrets everybody knows: keys that are not random are refused without being shown (X11)', () => {
  const weak = {
    zeros: Buffer.alloc(32),
    repeated: Buffer.alloc(32, 'ab'),
    counted: Buffer.from(Array.from({ length: 32 }, (_, index) => index)),
    text: Buffer.from('correct horse battery staple 123'),
    placeholder: Buffer.from('ChangeMe/ChangeMe/Q7bX2vN9zK4wR8tY3uI5oP0sL=', 'base64'),
  };
  for (const [name, bytes] of Object.entries(weak)) {
    const message = faults({ ...production(), LATCHKEY_SECRET_KEY: bytes.toString('base64') });
    assert.match(message, /LATCHKEY_SECRET_KEY is (all zeros|a pattern|encoded text|a placeholder)/, name);
    assert.ok(!message.includes(bytes.toString('base64').slice(0, 12)), name);
  }
  const one = key();
  assert.match(faults({ ...production(), LATCHKEY_SECRET_KEY: `${one},${one}` }), /same key twice/);
  for (let times = 0; times < 2000; times++) load({ LATCHKEY_SECRET_KEY: key() });
});

test('no text of the repository is a key that a start accepts', () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const texts = ['README.md', '.env.example', 'docker-compose.yml', 'Dockerfile'];
  for (const folder of ['docs', 'deploy', 'examples/nextjs-next-auth-4', 'examples/nextjs-auth-js-5']) {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    for (const entry of entries) if (entry.isFile()) texts.push(join(folder, entry.name));
  }
  // A lock file has hashes, and so has what a build leaves beside the texts.
  for (const name of texts.filter((each) => !/lock\.json$|\.tsbuildinfo$/.test(each))) {
    for (const [found] of readFileSync(join(root, name), 'utf8').matchAll(/(?<![\w+/-])[\w+/-]{43}=?(?![\w+/=-])/g)) {
      assert.notEqual(faults({ ...production(), LATCHKEY_SECRET_KEY: found }), '', `${name} has a usable key`);
    }
  }
});

test('several keys keep their order', () => {
  const keys = [key(), key(), key()];
  const { settings } = load({ ...production(), LATCHKEY_SECRET_KEY: keys.join(', ') });
  assert.deepEqual(
    settings.secretKeys.map((each) => each.toString('base64')),
    keys,
  );
});

test('a secret may come from a file, but not from two places', () => {
  const { LATCHKEY_SECRET_KEY: secret, ...rest } = production();
  const from = (path: string) => ({ ...rest, LATCHKEY_SECRET_KEY_FILE: path });
  const files = { '/run/secrets/key': `${secret}\n`, '/srv/latchkey/key': secret, '/empty': '\n', '/bad': 'aGlkZGVu' };
  assert.equal(load(from('/run/secrets/key'), files).settings.secretKeys[0]?.toString('base64'), secret);
  assert.equal(load(from('key'), files).settings.secretKeys.length, 1);
  assert.match(
    faults(from('/none'), files),
    /LATCHKEY_SECRET_KEY_FILE \("\/none"\) can't be read \(there is no such file\)/,
  );
  assert.match(faults(from('/empty'), files), /is an empty file/);
  assert.match(faults(from('/bad'), files), /The content of LATCHKEY_SECRET_KEY_FILE \("\/bad"\) decodes to 6 bytes/);
  assert.match(faults({ ...production(), LATCHKEY_SECRET_KEY_FILE: '/x' }, { '/x': key() }), /is set twice/);
  assert.match(load({ LATCHKEY_PORT_FILE: '/x' }).warnings.join(), /LATCHKEY_PORT is no secret/);
});

test('.env is read, the environment wins, and empty means not set', () => {
  const files = { '/srv/latchkey/.env': 'LATCHKEY_PORT=4000\nLATCHKEY_LOG_LEVEL="debug" # loud\nSHOP=from-file\n' };
  const both = load({ LATCHKEY_PORT: '5000', LATCHKEY_LOG_LEVEL: ' ' }, files);
  assert.equal(both.settings.port, 5000);
  assert.equal(both.settings.logLevel, 'info');
  assert.equal(both.env['SHOP'], 'from-file');
  assert.equal(load({}, files).settings.logLevel, 'debug');
});

test('an unknown name is warned about, with the one that may be meant', () => {
  const warned = (name: string) => load({ [name]: 'hidden-word' }).warnings.join();
  assert.match(
    warned('LATCHKEY_TRUST_PROXI'),
    /LATCHKEY_TRUST_PROXI does nothing.*Did you mean LATCHKEY_TRUST_PROXY\?/,
  );
  assert.match(warned('LATCHKEY_SECRET_KEY_FLIE'), /Did you mean LATCHKEY_SECRET_KEY_FILE\?/);
  assert.match(warned('LATCHKEY_COLOUR_OF_THE_SKY'), /there is no such setting\.$/);
  assert.doesNotMatch(warned('LATCHKEY_COLOUR'), /hidden-word/);
  assert.equal(warned('LATCHKEYS'), '');
});

test('what Kubernetes sets for a service of our name is explained', () => {
  assert.match(faults({ LATCHKEY_PORT: 'tcp://10.1.2.3:3000' }), /was set by Kubernetes/);
});

test('the nist policy asks for 15 characters, and nothing may ask for fewer than the policy (A01)', () => {
  assert.equal(load().settings.passwordMinLength, 12);
  assert.equal(load({ LATCHKEY_PASSWORD_POLICY: 'nist' }).settings.passwordMinLength, 15);
  assert.match(faults({ LATCHKEY_PASSWORD_POLICY: 'nist', LATCHKEY_PASSWORD_MIN_LENGTH: '14' }), /is 14, but/);
});

test('Argon2 may be cheap in development only (A07)', () => {
  const cheap = { LATCHKEY_ARGON2_MEMORY_KIB: '1024', LATCHKEY_ARGON2_PASSES: '1' };
  assert.equal(load(cheap).settings.argon2.memoryKiB, 1024);
  assert.match(faults({ ...production(), ...cheap }), /too cheap/);
  assert.equal(faults({ ...production(), LATCHKEY_ARGON2_MEMORY_KIB: '47104', LATCHKEY_ARGON2_PASSES: '1' }), '');
});

test('what is allowed but hardly meant is said', () => {
  const said = (env: object) => load({ ...production(), ...env }).warnings.join('\n');
  assert.match(said({ LATCHKEY_TRUST_PROXY: '' }), /LATCHKEY_TRUST_PROXY is empty, but the issuer is https/);
  assert.match(said({ LATCHKEY_TRUST_PROXY: '0.0.0.0/0' }), /trusts everybody/);
  assert.match(said({ LATCHKEY_SMTP_URL: 'smtp://mail.internal?tls=off' }), /clear text/);
});

test('a sender is an address or a name with one, and a long wrong one is refused in no time', () => {
  for (const good of ['a@example.com', 'Acme <a@example.com>', 'Ümläut & Co <a@example.com>', '<a@example.com>'])
    assert.equal(mailbox(good), good);
  const long = `${' '.repeat(200_000)}x`;
  const started = performance.now();
  for (const bad of [
    'nobody',
    'a@example.com>',
    'A <a@example.com',
    'A\n <a@b.example>',
    'A <<a@b.example>',
    long,
    `a${long}<`,
  ])
    assert.throws(() => mailbox(bad));
  assert.ok(performance.now() - started < 5000);
});
