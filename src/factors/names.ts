/** What people call their factors: one short line, or nothing. */
import { AppError } from '../errors.ts';

const MAX_LENGTH = 60;

/** @throws AppError invalid_request for one that is too long or more than a line. */
export function factorName(input: string): string | null {
  const name = input.normalize('NFC').trim();
  if ([...name].length > MAX_LENGTH) throw fault('too_long', { max: MAX_LENGTH });
  // A line break or a terminal's escape would be printed in mails and on consoles.
  if (!/^\P{Cc}*$/u.test(name) || !name.isWellFormed()) throw fault('invalid_characters');
  return name || null;
}

function fault(code: string, values?: Record<string, number>): AppError {
  const field = { field: 'name', code, ...(values ? { values } : {}) };
  return new AppError('invalid_request', { message: 'The name is not accepted.', fields: [field] });
}
