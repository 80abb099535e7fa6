/** The form through which a page's script hands in what a passkey answered: where it asks, and where it sends. */
import { z } from 'zod';
import { AssertionResponse, jsonField, RegistrationResponse } from '../factors/passkey-response.ts';
import type { Flow } from './flows.ts';

const csrf = z.string().max(500);

export const AssertionForm = z.strictObject({ csrf, response: jsonField(AssertionResponse) });
/** The second step, with the wish not to be asked in this browser for a time. */
export const SecondStepForm = AssertionForm.extend({ remember: z.literal('yes').optional() });
export const RegistrationForm = z.strictObject({ csrf, response: jsonField(RegistrationResponse) });

/** Of a sign-in: as its first step, as its second, to set one up because it is demanded, or because it was offered. */
const PATHS = {
  'sign-in': '/passkey/sign-in',
  'second-step': '/passkey',
  protect: '/protect/passkey',
  offer: '/offer/passkey',
} as const;

export interface PasskeyForm {
  action: string;
  optionsUrl: string;
}

export function passkeyForm({ uid }: Pick<Flow, 'uid'>, place: keyof typeof PATHS): PasskeyForm {
  const action = `/login/${uid}${PATHS[place]}`;
  return { action, optionsUrl: `${action}/options` };
}
