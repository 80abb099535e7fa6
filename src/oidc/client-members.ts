/** What the metadata of a client says of it: name, origins, secret. Knows no store. */
import { randomBytes } from 'node:crypto';

const PUBLIC_METHODS = new Set(['none', 'private_key_jwt']);

/** Web origins that a client may call from: those of its redirect URIs (RFC 6454). */
export function originsOf(metadata: Record<string, unknown>): string[] {
  const uris = Array.isArray(metadata['redirect_uris']) ? (metadata['redirect_uris'] as string[]) : [];
  return uris.flatMap((uri) => {
    const origin = URL.parse(uri)?.origin;
    return origin && origin !== 'null' ? [origin] : [];
  });
}

export function nameOf(metadata: Record<string, unknown>): string {
  const name = metadata['client_name'];
  return typeof name === 'string' && name !== '' ? name : String(metadata['client_id']);
}

/** Whether it proves itself with a secret (RFC 7591 section 2). */
export function needsSecret(metadata: Record<string, unknown>): boolean {
  return !PUBLIC_METHODS.has((metadata['token_endpoint_auth_method'] as string | undefined) ?? 'client_secret_basic');
}

/** 256 random bits. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

export function sameMembers(left: object, right: object): boolean {
  const sorted = (value: object) => JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sorted(left) === sorted(right);
}
