/** A client as the pages show it. */
import type { Client } from 'oidc-provider';
import { ACCOUNT_CLIENT_ID } from '../oidc/provider.ts';

export interface ClientView {
  name: string;
  logoUri: string | null;
  uri: string | null;
  policyUri: string | null;
  tosUri: string | null;
  redirectHost: string;
}

/** Null where no application is asking: the account pages sign people in through a client of their own. */
export function viewOfClient(client: Client | undefined, redirectUri?: unknown): ClientView | null {
  if (!client || client.clientId === ACCOUNT_CLIENT_ID) return null;
  return {
    name: client.clientName || client.clientId,
    logoUri: client.logoUri ?? null,
    uri: client.clientUri ?? null,
    policyUri: client.policyUri ?? null,
    tosUri: client.tosUri ?? null,
    redirectHost: redirectTarget(redirectUri ?? client.redirectUris?.[0]),
  };
}

/** Where an answer goes, in words for a person: a host, or "an app on this device". */
export function redirectTarget(redirectUri: unknown): string {
  const url = typeof redirectUri === 'string' ? URL.parse(redirectUri) : null;
  if (!url) return '';
  return url.protocol === 'http:' || url.protocol === 'https:' ? url.host : url.protocol.slice(0, -1);
}
