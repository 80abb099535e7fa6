/** Certificates for tests, self-signed or of an authority of one's own, made without openssl. RFC 5280 section 4, DER by hand. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

const der = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  const size = body.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...parts: Uint8Array[]) => der(0x30, ...parts);
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const utf8 = (text: string) => der(0x0c, Buffer.from(text));
const time = (date: Date) => der(0x17, Buffer.from(`${date.toISOString().replace(/\D/g, '').slice(2, 14)}Z`));

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const COMMON_NAME = '550403';
const ALT_NAME = '551d11';
const BASIC_CONSTRAINTS = '551d13';
const DAY_MS = 86_400_000;

interface Issuing {
  subject: string;
  issuer: string;
  hosts: string[];
  days: number;
  authority: boolean;
  publicKey: KeyObject;
  signer: KeyObject;
}

export interface Certificate {
  key: string;
  cert: string;
}

/** `hosts`: DNS names and IPv4 addresses; the days from now bound its validity. */
export function selfSigned(hosts: string[], { days = 1 } = {}): Certificate {
  const { privateKey, publicKey } = newKeys();
  const names = { subject: 'test', issuer: 'test', hosts };
  return { key: pem(privateKey), cert: issued({ ...names, days, authority: true, publicKey, signer: privateKey }) };
}

/** An authority of one's own: its certificate, and those that it signs. */
export function createAuthority(): { cert: string; issue(hosts: string[]): Certificate } {
  const own = newKeys();
  const common = { issuer: 'test authority', days: 1, signer: own.privateKey };
  const root = { ...common, subject: 'test authority', hosts: [], authority: true, publicKey: own.publicKey };
  return {
    cert: issued(root),
    issue(hosts) {
      const { privateKey, publicKey } = newKeys();
      return { key: pem(privateKey), cert: issued({ ...common, subject: 'test', hosts, authority: false, publicKey }) };
    },
  };
}

const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const nameOf = (text: string) => sequence(der(0x31, sequence(oid(COMMON_NAME), utf8(text))));

function issued({ subject, issuer, hosts, days, authority, publicKey, signer }: Issuing): string {
  const names = hosts.map((host) =>
    isIPv4(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)),
  );
  const yes = der(0x01, Buffer.from([255]));
  const extensions = sequence(
    ...(authority ? [sequence(oid(BASIC_CONSTRAINTS), yes, der(0x04, sequence(yes)))] : []),
    ...(names.length > 0 ? [sequence(oid(ALT_NAME), der(0x04, sequence(...names)))] : []),
  );
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ECDSA_SHA256,
    nameOf(issuer),
    sequence(time(new Date(Date.now() - 2 * DAY_MS)), time(new Date(Date.now() + days * DAY_MS))),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, signer));
  const lines = sequence(body, ECDSA_SHA256, signature)
    .toString('base64')
    .match(/.{1,64}/g) as string[];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
