/** The calls about factors: what each takes, answers and refuses. */
import { z } from 'zod';
import {
  CodeCount,
  FACTOR_EXAMPLES,
  FactorAnswer,
  FactorList,
  NewCodes,
  TotpAdded,
  TotpSetup,
} from './factor-answers.ts';
import type { Operation } from './operation.ts';

const code = z.string().min(1).max(100).meta({ description: 'What the app shows now.', example: '481516' });
// The feature has the last word on names; this only bounds what is handed to it.
const name = z.string().max(1000).meta({ description: 'What the person calls it; at most 60 characters.' });

export const CodeBody = z.strictObject({ code, name: name.optional() }).meta({ id: 'TotpProof' });
export const NameBody = z.strictObject({ name }).meta({ id: 'FactorName' });

const FRESH =
  ' Asks for a sign-in of the last ten minutes, with the second factor of who has one (`fresh_proof_required`, RFC 9470).';
const path = '/api/v1/account/factors';
const shared = { tag: 'Factors', scope: 'account:write' } as const;
const ofFactor = z.object({ id: z.string().meta({ description: 'The `id` of an entry of the list.' }) });
const ofSetup = z.object({ id: z.string().meta({ description: 'The `id` of the set-up.' }) });

export const FACTOR_OPERATIONS: Operation[] = [
  {
    ...shared,
    id: 'listFactors',
    method: 'get',
    path,
    summary: 'What protects the account',
    description: 'Passkeys, authenticator apps, and the recovery codes that are left as one entry.',
    scope: 'account:read',
    answer: { description: 'All of them.', schema: FactorList, example: FACTOR_EXAMPLES.list },
    errors: [],
  },
  {
    ...shared,
    id: 'beginTotp',
    method: 'post',
    path: `${path}/totp`,
    summary: 'Begin to set up an authenticator app',
    description: `Gives a secret for the app. It dies after fifteen minutes unless a code proves it.${FRESH}`,
    answer: { description: 'The secret, this once.', schema: TotpSetup, example: FACTOR_EXAMPLES.setup },
    fresh: true,
    errors: ['conflict'],
  },
  {
    ...shared,
    id: 'proveTotp',
    method: 'post',
    path: `${path}/totp/{id}`,
    summary: 'Prove the authenticator app',
    description: `From now on a code is asked for at each sign-in. The first factor ends the account’s other sessions. A mail tells the person.${FRESH}`,
    params: ofSetup,
    body: { schema: CodeBody, example: { code: '481516', name: 'Work phone' } },
    answer: { description: 'It counts.', schema: TotpAdded, example: FACTOR_EXAMPLES.added },
    fresh: true,
    errors: ['invalid_code', 'code_expired'],
  },
  {
    ...shared,
    id: 'renameFactor',
    method: 'patch',
    path: `${path}/{id}`,
    summary: 'Name a factor',
    description: 'An empty name takes it away. Recovery codes have none.',
    params: ofFactor,
    body: { schema: NameBody, example: { name: 'Work phone' } },
    answer: { description: 'The factor after the change.', schema: FactorAnswer, example: FACTOR_EXAMPLES.factor },
    errors: ['not_found'],
  },
  {
    ...shared,
    id: 'removeFactor',
    method: 'delete',
    path: `${path}/{id}`,
    summary: 'Remove a factor',
    description: `Ends every session but the current one; recovery codes go with the last factor. A mail tells the person. For a day after lost factors were removed by their owner none can be (\`conflict\`).${FRESH}`,
    params: ofFactor,
    answer: { description: 'It is removed.' },
    fresh: true,
    errors: ['not_found', 'conflict'],
  },
  {
    ...shared,
    id: 'countRecoveryCodes',
    method: 'get',
    path: `${path}/recovery-codes`,
    summary: 'How many recovery codes are left',
    description: 'The codes themselves were shown once and are not stored.',
    scope: 'account:read',
    answer: { description: 'The number.', schema: CodeCount, example: FACTOR_EXAMPLES.count },
    errors: [],
  },
  {
    ...shared,
    id: 'renewRecoveryCodes',
    method: 'post',
    path: `${path}/recovery-codes`,
    summary: 'Make new recovery codes',
    description: `They replace all the old ones. An account without a factor has none (\`conflict\`).${FRESH}`,
    answer: { description: 'Ten codes, this once.', schema: NewCodes, example: FACTOR_EXAMPLES.codes },
    fresh: true,
    errors: ['conflict'],
  },
];
