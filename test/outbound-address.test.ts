/** Which addresses an outgoing request can't be led to: SECURITY X08 and the row "SSRF". */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { type JWKS, Provider } from 'oidc-provider';
import { createOutbound } from '../src/http/outbound.ts';
import { createAddressGuard } from '../src/http/outbound-address.ts';
import { fails, resolvingTo, startOutbound, startServer } from './support/outgoing.ts';

test('X08: no disguise of this machine is reached', async (t) => {
  const seen = await startServer(t);
  const { port } = seen;
  const outbound = startOutbound(t);
  for (const host of [
    ...[
      '127.0.0.1',
      '127.1',
      '0x7f.1',
      '0x7f000001',
      '2130706433',
      '017700000001',
      '0177.0.0.1',
      '127.0.0.1.',
      '0',
      '0.0.0.0',
    ],
    ...['localhost', 'LOCALHOST', '①②⑦.⓪.⓪.①', '[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]'],
    ...['[::127.0.0.1]', '[64:ff9b::127.0.0.1]', '[2002:7f00:1::]', '[::ffff:0:127.0.0.1]', '[0:0:0:0:0:0:0:1]'],
  ])
    await fails(outbound(`http://${host}:${port}/`), 'address_refused', /LATCHKEY_OUTBOUND_ALLOW/);
  // Whether this name means anything is up to the system.
  await assert.rejects(outbound(`http://localhost.:${port}/`));
  assert.equal(seen.connections, 0);
});

test('X08: a name is judged by what it resolves to, at the time of the connection', async (t) => {
  const seen = await startServer(t);
  for (const address of [
    '127.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    'fd00::1',
    'not an address',
  ]) {
    const outbound = startOutbound(t, { lookup: resolvingTo(address) });
    await fails(outbound(`http://innocent.example:${seen.port}/`), 'address_refused', /innocent\.example/);
  }
  // One refused address among others is left out, and a later answer of the resolver changes nothing.
  const mixed = startOutbound(t, {
    lookup: resolvingTo('198.51.100.1', '127.0.0.1'),
    allow: ['198.51.100.0/24'],
    timeoutMs: 400,
  });
  await assert.rejects(mixed(`http://innocent.example:${seen.port}/`));
  assert.equal(seen.connections, 0);
});

test('X08: a redirect is not followed, wherever it leads', async (t) => {
  const inner = await startServer(t);
  for (const status of [301, 302, 303, 307, 308]) {
    const outer = await startServer(t, (_request, response) =>
      response.writeHead(status, { location: `http://localhost:${inner.port}/` }).end('moved'),
    );
    const outbound = startOutbound(t, { allow: ['127.0.0.1'] });
    await fails(outbound(outer.url, { redirect: 'follow' }), 'redirect', new RegExp(String(status)));
  }
  assert.equal(inner.connections, 0);
});

test('what the operator allows is reached: a name, an address, a network', async (t) => {
  const { port } = await startServer(t);
  const cases: [string, string][] = [
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.0/8', '127.0.0.1'],
    ['127.0.0.1', '[::ffff:127.0.0.1]'],
    ['App.Internal', 'app.internal'],
    ['127.0.0.1/32', 'app.internal'],
  ];
  for (const [entry, host] of cases) {
    const outbound = startOutbound(t, { allow: [entry], lookup: resolvingTo('127.0.0.1') });
    const response = await outbound(`http://${host}:${port}/`);
    assert.equal(await response.text(), 'hello', `${entry} ${host}`);
  }
  const other = startOutbound(t, {
    allow: ['app.internal', '10.0.0.0/8', 'fd00::/8'],
    lookup: resolvingTo('127.0.0.1'),
  });
  for (const host of ['127.0.0.1', 'other.internal', 'x.app.internal', 'app.internal.example'])
    await fails(other(`http://${host}:${port}/`), 'address_refused');
});

test('an allowance that means nothing is told at the start', () => {
  for (const entry of [
    '',
    '10.0.0.0/33',
    '300.1.1.1',
    'http://app.internal',
    'a b',
    '*.internal',
    '1.2.3',
    '010.0.0.1',
  ])
    assert.throws(() => createOutbound({ allow: [entry] }), /is neither a host name/, entry);
});

test("as oidc-provider's fetch it delivers a logout token to an allowed neighbour, which the package's guard would not", async (t) => {
  const bodies: string[] = [];
  const seen = await startServer(t, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    response.end();
  });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const logout = async (fetch: typeof globalThis.fetch) => {
    const client = { client_id: 'app', client_secret: 'x'.repeat(43), redirect_uris: ['https://app.example/cb'] };
    const provider = new Provider('https://id.example', {
      clients: [{ ...client, backchannel_logout_uri: `${seen.url}/logout` }],
      cookies: { keys: ['x'.repeat(43)] },
      features: { backchannelLogout: { enabled: true }, devInteractions: { enabled: false } },
      jwks: { keys: [privateKey.export({ format: 'jwk' })] } as JWKS,
      fetch: fetch as never,
    });
    const found = await provider.Client.find('app');
    await (found as unknown as { backchannelLogout(sub: string, sid: string): Promise<void> }).backchannelLogout(
      'ada',
      '1',
    );
  };
  await logout(startOutbound(t, { allow: ['127.0.0.1'] }));
  assert.match(bodies[0] ?? '', /^logout_token=ey/);
  const connections = seen.connections;
  await fails(logout(startOutbound(t)), 'address_refused');
  assert.equal(seen.connections, connections);
  await assert.rejects(logout(globalThis.fetch));
  assert.equal(bodies.length, 1);
});

test('public addresses pass, and whatever oidc-provider calls special does not', async () => {
  // Not exported by the package, but a second opinion by the people whose guard ours replaces.
  const theirs = new URL('../node_modules/oidc-provider/lib/helpers/fetch_request.js', import.meta.url).href;
  const { isSpecialUseIP } = (await import(theirs)) as { isSpecialUseIP(address: string): boolean };
  const guard = createAddressGuard([]);
  for (const address of ['1.1.1.1', '8.8.8.8', '93.184.215.14', '2606:4700:4700::1111', '2a00:1450:4001:80b::200e'])
    assert.equal(guard.allows('x.example', address), true, address);
  for (const address of [
    '',
    'x',
    '127.0.0.1:80',
    'fe80::1%lo',
    'fec0::1',
    '4000::1',
    '::',
    '255.255.255.255',
    '224.0.0.1',
    '100.64.0.1',
  ])
    assert.equal(guard.allows('x.example', address), false, address);
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  const leading = fc.constantFrom(
    [],
    [10],
    [127],
    [192, 168],
    [198, 18],
    [0x20, 1],
    [0x20, 2],
    [0xfd],
    [0xfe, 0x80],
    [0, 0x64, 0xff, 0x9b],
  );
  fc.assert(
    fc.property(bytes, leading, (random, start) => {
      const address = ipaddr.fromByteArray([...start, ...random].slice(0, random.length)).toString();
      if (isSpecialUseIP(address)) assert.equal(guard.allows('x.example', address), false, address);
    }),
    { numRuns: 5000 },
  );
});
