/** AES-256-GCM envelopes `v1.<key id>.<nonce>.<tag>.<ciphertext>` (base64url). Knows no purpose and no table. */
import { createCipheriv, createDecipheriv, createHash, type KeyObject } from 'node:crypto';
import { takeRandom } from './random.ts';

const NONCE_BYTES = 12;

/** The start of the key's hash: names a key without telling anything of it. */
export function keyId(key: Buffer): string {
  return createHash('sha256').update('latchkey key id').update(key).digest('base64url').slice(0, 8);
}

/** `context` (table, column, row) is authenticated, so that an envelope moved to another row does not open. */
export function seal(key: KeyObject, id: string, plaintext: Buffer | string, context: string): string {
  const nonce = takeRandom(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(context));
  const ciphertext = cipher.update(plaintext as Buffer);
  cipher.final();
  return `v1.${id}.${nonce.toString('base64url')}.${cipher.getAuthTag().toString('base64url')}.${ciphertext.toString('base64url')}`;
}

/** The id of the key that an envelope names. */
export function envelopeKey(envelope: string): string | undefined {
  return envelope.split('.', 2)[1];
}

/** @throws Error when the envelope was changed, moved or sealed with another key. */
export function open(key: KeyObject, envelope: string, context: string): Buffer {
  const [version, , nonce, tag, ciphertext] = envelope.split('.');
  if (version !== 'v1' || !nonce || !tag || ciphertext === undefined) throw new Error('not a sealed value');
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(Buffer.from(tag, 'base64url'));
  const plaintext = decipher.update(Buffer.from(ciphertext, 'base64url'));
  // Of this mode nothing is left over; what may throw here is the check of the tag.
  decipher.final();
  return plaintext;
}
