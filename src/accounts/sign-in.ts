/** How a sign-in stands in the record, by whichever way the person proved who they are. */
import { type NewEvent, type Origin, SYSTEM } from '../audit/events.ts';

export interface Asked {
  by?: Origin;
  /** The application that the person is on the way to. */
  client?: string | undefined;
}

export function signInOf(account: string, { by = SYSTEM, client }: Asked): NewEvent {
  return { type: 'sign_in.succeeded', account, client, by, details: { method: 'password' } };
}
