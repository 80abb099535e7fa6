/** The calls that add a passkey from a page of another origin or from an app: what each takes, answers and refuses. */
import { z } from 'zod';
import { RegistrationResponse } from '../factors/passkey-response.ts';
import type { Operation } from './operation.ts';

export const PasskeyBody = z
  .strictObject({
    // The feature has the last word on names; this only bounds what is handed to it.
    name: z.string().max(1000).optional().meta({ description: 'What the person calls it; at most 60 characters.' }),
    response: RegistrationResponse.meta({ description: 'The new credential, as its `toJSON()` gives it.' }),
  })
  .meta({ id: 'NewPasskey' });

export const PasskeyOptions = z
  .looseObject({
    challenge: z.string(),
    rp: z.looseObject({ id: z.string() }),
    user: z.looseObject({ id: z.string() }),
  })
  .meta({ id: 'PasskeyOptions', description: 'For `PublicKeyCredential.parseCreationOptionsFromJSON()`.' });

export const PasskeyAnswer = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    created_at: z.iso.datetime(),
    synced: z.boolean().meta({ description: 'It may be copied to other devices of its owner.' }),
  })
  .meta({ id: 'Passkey' });

const FRESH =
  ' Asks for a sign-in of the last ten minutes, with the second factor of who has one (`fresh_proof_required`, RFC 9470).';
const shared = { tag: 'Factors', method: 'post', scope: 'account:write', fresh: true } as const;

const SAMPLE_OPTIONS = {
  challenge: 'mJ6yZ0k2dCqk8vVnS1mPpN0oB4m8n5m3mQyq1m0lq3E',
  rp: { id: 'login.example.com', name: 'Latchkey' },
  user: { id: 'c2l4dHktZm91ciBieXRlcw', name: 'ada@example.com', displayName: 'Ada Lovelace' },
  pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
};
const SAMPLE_RESPONSE = {
  id: 'q5a1mTz0',
  rawId: 'q5a1mTz0',
  type: 'public-key',
  clientExtensionResults: {},
  response: { clientDataJSON: 'eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0', attestationObject: 'o2NmbXRkbm9uZQ' },
};

export const PASSKEYS: Operation[] = [
  {
    ...shared,
    id: 'beginPasskey',
    path: '/api/v1/account/factors/passkeys/options',
    summary: 'Begin to add a passkey',
    description: `Gives the options of the ceremony. Their challenge is good once, for five minutes, for this session or application. Pages of other origins are named by LATCHKEY_PASSKEY_ORIGINS.${FRESH}`,
    answer: { description: 'The options.', schema: PasskeyOptions, example: SAMPLE_OPTIONS },
    errors: ['fresh_proof_required', 'conflict'],
  },
  {
    ...shared,
    id: 'addPasskey',
    path: '/api/v1/account/factors/passkeys',
    summary: 'Add a passkey',
    description: `The first factor of an account ends its other sessions. A mail tells the person. Whatever is wrong with the answer is \`invalid_request\` with \`passkey_not_added\`.${FRESH}`,
    body: { schema: PasskeyBody, example: { name: 'Work laptop', response: SAMPLE_RESPONSE } },
    answer: {
      description: 'The passkey.',
      schema: PasskeyAnswer,
      example: { id: 'p4x0', name: 'Work laptop', created_at: '2026-11-02T08:12:44.000Z', synced: false },
    },
    errors: ['fresh_proof_required'],
  },
];
