/** A store that does not answer is `temporarily_unavailable` (RFC 6749 section 4.1.2.1) with status 503, never a 500;
 * an account that was removed meanwhile ends its grant (`invalid_grant`, section 5.2). */
import { errors } from 'oidc-provider';
import { OwnerGone } from '../db/database.ts';
import { AppError } from '../errors.ts';

/** For everything that the protocol core calls: a known failure becomes one that the core can answer. Its cause is
 * kept for the log. */
export function orUnavailable<Args extends unknown[], Result>(
  method: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  return (...args) => method(...args).catch(speakable);
}

/** The error when it is that one. */
export const ownerGone = (error: unknown): AppError | undefined => (error instanceof OwnerGone ? error : undefined);

function speakable(error: unknown): never {
  if (!(error instanceof AppError)) throw error;
  if (ownerGone(error)) throw Object.assign(new errors.InvalidGrant(error.message), { cause: error });
  const unavailable = new errors.TemporarilyUnavailable(error.message);
  unavailable.statusCode = 503;
  unavailable.status = 503;
  unavailable.cause = error;
  throw unavailable;
}
