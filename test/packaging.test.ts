/** What can be known of the image, the compose file and the recipes by reading them. docs/deploy.md says what was tried. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

interface Service {
  image?: string;
  build?: string;
  profiles?: string[];
  read_only?: boolean;
  ports?: string[];
  secrets?: string[];
  networks?: string[] | Record<string, { ipv4_address?: string }>;
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  secrets: Record<string, { file?: string }>;
};
const dockerfile = read('Dockerfile');
const packages = JSON.parse(read('package.json')) as { version: string; optionalDependencies: Record<string, string> };

/** Instructions of the Dockerfile with continued lines joined and comments left out. */
function instructions(): string[] {
  const lines = dockerfile.split('\n').filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter(Boolean);
}

test('the image has the version of Node that the packages ship', () => {
  const version = /^ARG NODE=(\d+\.\d+\.\d+)-bookworm-slim$/m.exec(dockerfile)?.[1];
  assert.ok(version, 'the base is pinned to a full version');
  for (const [name, pinned] of Object.entries(packages.optionalDependencies)) assert.equal(version, pinned, name);
  const bases = instructions().filter((line) => line.startsWith('FROM '));
  assert.ok(bases.length >= 2, 'more than one stage');
  for (const base of bases) assert.match(base, /^FROM (node:\$\{NODE\}|packages) AS \w+$/);
});

test('the image runs as a numbered user without rights, from files that are not its own', () => {
  const last = instructions().slice(instructions().findLastIndex((line) => line.startsWith('FROM ')));
  assert.deepEqual(
    last.filter((line) => line.startsWith('USER ')),
    ['USER 1000:1000'],
  );
  assert.ok(last.indexOf('USER 1000:1000') < last.findIndex((line) => line.startsWith('ENTRYPOINT ')));
  assert.ok(last.includes('COPY --from=app --chown=root:root /app /app'));
  assert.ok(last.includes('VOLUME /data'));
  assert.match(last.find((line) => line.startsWith('HEALTHCHECK ')) ?? '', /CMD \["latchkey", "healthcheck"\]$/);
});

test('the build compiles nothing, takes no development package, and sees no data or secret', () => {
  assert.match(dockerfile, /npm ci --omit=dev --omit=optional/);
  const allowed = read('.dockerignore')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));
  assert.equal(allowed[0], '*', 'everything stays out unless it is named');
  const copied = instructions().flatMap((line) =>
    line.startsWith('COPY --') ? [] : (/^COPY (.*) \S+$/.exec(line)?.[1]?.split(' ') ?? []),
  );
  assert.deepEqual(
    allowed
      .slice(1)
      .map((line) => line.replace('!', ''))
      .sort(),
    copied.sort(),
  );
});

test('the compose file pins every image and starts only development without a profile', () => {
  for (const [name, { image }] of Object.entries(compose.services)) {
    assert.match(image ?? '', /:v?\d+\.\d+/, `${name} has a pinned tag`);
    if (image?.startsWith('latchkey:')) assert.equal(image, `latchkey:${packages.version}`);
  }
  const plain = Object.keys(compose.services).filter((name) => !compose.services[name]?.profiles);
  assert.deepEqual(plain.sort(), ['latchkey', 'mailcatcher', 'redis']);
  for (const name of plain) {
    for (const port of compose.services[name]?.ports ?? [])
      assert.match(port, /^127\.0\.0\.1:/, `${name} is on loopback`);
  }
});

test('the production profile has two instances behind a proxy, on PostgreSQL, migrated before they start', () => {
  const production = Object.entries(compose.services).filter(([, service]) => service.profiles?.includes('production'));
  assert.deepEqual(production.map(([name]) => name).sort(), [
    'latchkey-1',
    'latchkey-2',
    'migrate',
    'postgres',
    'proxy',
    'redis-production',
  ]);
  for (const name of ['latchkey-1', 'latchkey-2']) {
    const service = compose.services[name] as Service;
    assert.equal(service.read_only, true);
    assert.equal(service.environment?.['NODE_ENV'], 'production');
    assert.match(service.environment?.['LATCHKEY_ISSUER'] ?? '', /^https:/);
    assert.equal(service.depends_on?.['migrate']?.condition, 'service_completed_successfully');
    assert.equal(service.ports, undefined, 'reached through the proxy only');
  }
  assert.deepEqual(compose.services['migrate']?.command, ['migrate']);
  const proxy = compose.services['proxy']?.networks as Record<string, { ipv4_address?: string }>;
  assert.equal(
    compose.services['latchkey-1']?.environment?.['LATCHKEY_TRUST_PROXY'],
    `${proxy['edge']?.ipv4_address}/32`,
    'exactly the proxy is trusted',
  );
  const published = production.filter(([, service]) => service.ports).map(([name]) => name);
  assert.deepEqual(published, ['proxy']);
});

test('no secret is written in the compose file or beside it', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    for (const [variable, value] of Object.entries(service.environment ?? {})) {
      if (/SECRET|PASSWORD|TOKEN|_KEY|_URL_/.test(variable)) assert.match(variable, /_FILE$/, `${name}: ${variable}`);
      assert.doesNotMatch(String(value), /:\/\/[^/\s]*:[^/\s]*@/, `${name}: ${variable} carries a password`);
    }
  }
  const used = Object.values(compose.services).flatMap((service) => service.secrets ?? []);
  assert.deepEqual([...new Set(used)].sort(), Object.keys(compose.secrets).sort());
  for (const { file } of Object.values(compose.secrets)) assert.match(file ?? '', /^\.\/deploy\/secrets\//);
  assert.match(read('deploy/secrets/.gitignore'), /^\*$/m);
});

test('the proxies replace what strangers send, keep health inside, and let connections go before Latchkey does', () => {
  const nginx = read('deploy/nginx.conf');
  for (const header of ['Forwarded', 'X-Forwarded-Host', 'X-Forwarded-Port', 'X-Real-IP']) {
    assert.match(nginx, new RegExp(`proxy_set_header ${header} "";`));
  }
  assert.match(nginx, /proxy_set_header X-Forwarded-For \$remote_addr;/);
  assert.doesNotMatch(
    /log_format[^;]*/.exec(nginx)?.[0] ?? '',
    /\$request\b|\$request_uri|\$args/,
    'no query in the log',
  );
  assert.match(nginx, /keepalive_timeout 60s;/);
  const caddy = read('deploy/Caddyfile');
  assert.match(caddy, /keepalive 60s/);
  for (const path of ['livez', 'readyz', 'healthz', 'metrics']) {
    assert.ok(nginx.includes(path) && caddy.includes(`/${path}`), `${path} is not for the public`);
  }
});

test('the unit has no rights, a user of its own, and does not restart on a fault of the settings', () => {
  const unit = read('deploy/latchkey.service');
  for (const line of [
    'DynamicUser=yes',
    'CapabilityBoundingSet=',
    'ProtectSystem=strict',
    'NoNewPrivileges=yes',
    'RestartPreventExitStatus=78',
  ]) {
    assert.ok(unit.split('\n').includes(line), line);
  }
  assert.doesNotMatch(unit, /^Environment=.*(SECRET_KEY|SMTP_URL)=/m, 'secrets come as credentials');
});
