/** A store that does not answer is `temporarily_unavailable` (RFC 6749 section 4.1.2.1) with status 503, never a 500. */
import { errors } from 'oidc-provider';
import { AppError } from '../errors.ts';

/** For everything that the protocol core calls: a known failure becomes one that the core can answer. Its cause is
 * kept for the log. */
export function orUnavailable<Args extends unknown[], Result>(
  method: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  return (...args) => method(...args).catch(speakable);
}

function speakable(error: unknown): never {
  if (!(error instanceof AppError)) throw error;
  const unavailable = new errors.TemporarilyUnavailable(error.message);
  unavailable.statusCode = 503;
  unavailable.status = 503;
  unavailable.cause = error;
  throw unavailable;
}
