/** How a sign-in stands in the record, by whichever way the person proved who they are. */
import { type NewEvent, type Origin, SYSTEM } from '../audit/events.ts';
import type { Device } from '../limits/known-devices.ts';

export interface Asked {
  by?: Origin;
  /** The application that the person is on the way to. */
  client?: string | undefined;
  /** The browser, where one asks. */
  device?: Device | undefined;
}

/** @param amr the methods that were proved, RFC 8176. */
export function signInOf(account: string, { by = SYSTEM, client, amr }: Asked & { amr: string[] }): NewEvent {
  const method = amr.includes('pwd') ? 'password' : amr.includes('pop') ? 'passkey' : 'email';
  return { type: 'sign_in.succeeded', account, client, by, details: { method, amr } };
}
