/** What one call of the account API is: what it takes, answers and refuses. */
import type { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import type { AccountScope } from './caller.ts';

/** Headings of the description, in their order. */
export const TAGS = ['Account', 'Sessions', 'Apps', 'Factors'] as const;
export type Tag = (typeof TAGS)[number];

export interface Operation {
  id: string;
  method: 'get' | 'patch' | 'post' | 'delete';
  path: string;
  tag: Tag;
  summary: string;
  description: string;
  scope: AccountScope;
  /** Asks for a sign-in of the last ten minutes (RFC 9470). */
  fresh?: true;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: { schema: z.ZodType; example: object };
  /** Without a schema: 204. */
  answer: { description: string; schema?: z.ZodType; example?: object };
  /** Beyond those that every call of its kind can answer. */
  errors: ErrorCode[];
}

const EVERY_CALL: ErrorCode[] = [
  'invalid_request',
  'unauthenticated',
  'invalid_token',
  'insufficient_scope',
  'second_factor_required',
  'misdirected_request',
  'too_many_attempts',
  'internal_error',
  'storage_unavailable',
  'busy',
];
const EVERY_BODY: ErrorCode[] = ['body_too_large', 'unsupported_media_type'];

/** Every refusal that an operation can answer. */
export function errorsOf(operation: Operation): ErrorCode[] {
  const change: ErrorCode[] = operation.method === 'get' ? [] : ['csrf'];
  const proof: ErrorCode[] = operation.fresh ? ['fresh_proof_required'] : [];
  return [...EVERY_CALL, ...change, ...proof, ...(operation.body ? EVERY_BODY : []), ...operation.errors];
}
