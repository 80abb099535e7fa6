/** From whatever a command threw to an exit code, a sentence for the person and a problem object for a script. */
import { STATUS_CODES } from 'node:http';
import { DatabaseFault } from '../db/connect.ts';
import { AppError, type ErrorCode, type FieldError } from '../errors.ts';
import { KeyringFault } from '../keyring/wrapping.ts';
import { PlacesFault } from '../sessions/places.ts';
import { EXIT } from './exit-code.ts';

/** The command line asks for something that can't be; the message says what to write instead. */
export class UsageFault extends Error {}

/** Something that the command needs (mail server, standard output) is not there. */
export class Unavailable extends Error {}

/** The instance that a health check asks is not well. Container engines know no other code than 1. */
export class NotAlive extends Error {}

/** The person was asked and did not say yes. */
export class Declined extends Error {}

/** RFC 9457, as the APIs answer, without a request id. */
export interface Problem {
  type: 'about:blank';
  title: string;
  status: number;
  detail: string;
  code: string;
  errors?: Array<{ field: string; code: string; detail: string }>;
}

export interface Failure {
  exit: number;
  /** For the person: one sentence, and a line for each field. Of a bug, the whole error. */
  text: string;
  problem: Problem;
}

const EXITS: Partial<Record<ErrorCode, number>> = {
  not_found: EXIT.notFound,
  conflict: EXIT.conflict,
  storage_unavailable: EXIT.unavailable,
  busy: EXIT.unavailable,
  internal_error: EXIT.bug,
};

/** Codes for errors that know their own exit code (faults of the settings, of the schema, of listening). */
const CODES: Readonly<Record<number, string>> = {
  [EXIT.unavailable]: 'unavailable',
  [EXIT.configuration]: 'configuration',
};

export function failureOf(error: unknown, words: (fault: FieldError) => string): Failure {
  if (error instanceof AppError) return ofAppError(error, words);
  if (error instanceof UsageFault) return usageFailure(error.message);
  if (error instanceof Declined) return plain(EXIT.failed, 400, 'declined', error.message);
  if (error instanceof NotAlive) return plain(EXIT.failed, 503, 'not_alive', error.message);
  if (error instanceof Unavailable) return plain(EXIT.unavailable, 503, 'unavailable', error.message);
  if (error instanceof DatabaseFault) return plain(EXIT.unavailable, 503, 'storage_unavailable', error.message);
  if (error instanceof PlacesFault) return plain(EXIT.configuration, 500, 'configuration', error.message);
  if (error instanceof KeyringFault) return plain(EXIT.configuration, 500, 'configuration', error.message);
  const said = error instanceof Error ? exitCodeOf(error) : undefined;
  if (said !== undefined) return plain(said, 500, CODES[said] ?? 'failed', (error as Error).message);
  const whole = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    ...plain(EXIT.bug, 500, 'internal_error', 'This is a bug. What went wrong is on the standard error.'),
    text: `This is a bug; please report it with what follows.\n${whole}`,
  };
}

function exitCodeOf(error: Error): number | undefined {
  const { exitCode } = error as { exitCode?: unknown };
  return typeof exitCode === 'number' && exitCode > 0 ? exitCode : undefined;
}

export function usageFailure(message: string): Failure {
  return plain(EXIT.usage, 400, 'usage', message);
}

function ofAppError(error: AppError, words: (fault: FieldError) => string): Failure {
  const errors = error.fields.map((fault) => ({ field: fault.field, code: fault.code, detail: words(fault) }));
  const sentence = error.message === error.code ? `Refused: ${error.code.replaceAll('_', ' ')}.` : error.message;
  const failure = plain(EXITS[error.code] ?? EXIT.failed, error.status, error.code, sentence);
  if (errors.length === 0) return failure;
  const lines = errors.map(({ field, detail }) => (field === '' ? `  ${detail}` : `  ${field}: ${detail}`));
  return { ...failure, text: [sentence, ...lines].join('\n'), problem: { ...failure.problem, errors } };
}

function plain(exit: number, status: number, code: string, detail: string): Failure {
  const title = STATUS_CODES[status] ?? 'Error';
  return { exit, text: detail, problem: { type: 'about:blank', title, status, detail, code } };
}
