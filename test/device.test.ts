/** What people read about the devices they are signed in on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { describeDevice } from '../src/sessions/device.ts';
import { cpuTime } from './support/cpu-time.ts';

const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)';
const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';
const WINDOWS = `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/140.0.0.0 Safari/537.36`;

const DEVICES: [string, string][] = [
  ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
  ['Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0', 'Firefox on Android'],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
    'Safari on macOS',
  ],
  [WINDOWS, 'Chrome on Windows'],
  [`${WINDOWS} Edg/140.0.0.0`, 'Edge on Windows'],
  [`${WINDOWS} OPR/123.0.0.0`, 'Opera on Windows'],
  [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${WEBKIT} Chrome/140.0.0.0 Safari/537.36`, 'Chrome on Chrome OS'],
  [`${IPHONE} Version/18.5 Mobile/15E148 Safari/604.1`, 'Safari on iOS'],
  [`${IPHONE} CriOS/140.0 Mobile/15E148 Safari/604.1`, 'Chrome on iOS'],
  [
    'Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 Mobile/15E148 Safari/604.1',
    'Safari on iPadOS',
  ],
  [`Mozilla/5.0 (Linux; Android 10; K) ${WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36`, 'Chrome on Android'],
  [
    `Mozilla/5.0 (Linux; Android 14; SM-S918B) ${WEBKIT} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
    'Samsung Internet on Android',
  ],
  [
    `Mozilla/5.0 (X11; Linux x86_64) ${WEBKIT} my-app/1.0.0 Chrome/140.0.0.0 Electron/38.0.0 Safari/537.36`,
    'Electron on Linux',
  ],
  ['node', 'Node.js'],
  ['undici', 'Node.js'],
  ['curl/8.5.0', 'curl'],
  ['openid-client/6.9.0 (https://github.com/panva/openid-client)', 'openid-client'],
  ['oauth4webapi/v3.8.0', 'openid-client'],
  ['python-requests/2.31', 'Python'],
];

test('browsers, apps and programs are told in words', () => {
  for (const [header, name] of DEVICES) assert.equal(describeDevice(header).name, name, header);
  assert.deepEqual(describeDevice(WINDOWS), { name: 'Chrome on Windows', browser: 'Chrome', os: 'Windows' });
});

test('what is missing or unknown is an unknown device, and half-known things are told by the half', () => {
  const unknown = { name: 'Unknown device', browser: null, os: null };
  for (const header of [null, '', '   ', 'Some Thing', '\0\0', '{}']) assert.deepEqual(describeDevice(header), unknown);
  assert.deepEqual(describeDevice('Thing (X11; Linux x86_64)'), { name: 'Linux', browser: null, os: 'Linux' });
});

test('nobody writes their own words into the list of sessions', () => {
  for (const header of [
    'The police/1.0',
    '<b>Hello</b>/1',
    'Your bank calls 555/2 (Windows NT 10.0)',
    'node-evil words/1',
  ])
    assert.match(describeDevice(header).name, /^(Unknown device|Windows)$/, header);
});

test('only the first 512 characters are looked at', () => {
  assert.equal(describeDevice(`${'x'.repeat(600)} Firefox/140.0 Linux`).name, 'Unknown device');
});

test('any header gets an answer of known names, and quickly', () => {
  const parts = fc.constantFrom(
    'Mozilla/5.0',
    '(',
    ')',
    ';',
    'Version/',
    'Chrome/',
    'Linux',
    'rv:',
    ' ',
    '/',
    'a'.repeat(99),
  );
  const header = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 600 }),
    fc.array(parts, { maxLength: 60 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(header, (userAgent) => {
      let name = '';
      const took = cpuTime(() => {
        ({ name } = describeDevice(userAgent));
      });
      assert.ok(took < 250, `${took} ms`);
      assert.match(name, /^[A-Za-z0-9 ().!+-]{2,60}$/);
    }),
  );
  const took = cpuTime(() => {
    for (const piece of ['/', ' (', 'x', 'Android ', 'Version/', '; '])
      describeDevice(piece.repeat(1_000_000 / piece.length));
  });
  assert.ok(took < 500, `${took} ms`);
});
