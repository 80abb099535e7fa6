/**
 * The query of a page is text, each parameter once and none of a size that no page can mean (SECURITY P37, P41).
 * Parameters that a page does not know are ignored: people follow links to which mailers and portals added some.
 */
import type { Middleware } from 'koa';
import { AppError } from '../errors.ts';
import { parsePairs, uniqueFields } from './form-pairs.ts';

/** Characters. */
const MAX_VALUE = 4096;

/** @param except paths whose parameters may repeat and are read by their own rules. */
export function pageQuery({ except }: { except: readonly string[] }): Middleware {
  return (ctx, next) => {
    if (!except.includes(ctx.path)) check(ctx.querystring);
    return next();
  };
}

function check(query: string): void {
  const values = Object.entries(uniqueFields(parsePairs(query)));
  const fields = values
    .filter(([name, value]) => name.length > 100 || value.length > MAX_VALUE || /\p{Cc}/u.test(name + value))
    .map(([name, value]) => ({
      field: name.slice(0, 100),
      ...(value.length > MAX_VALUE ? { code: 'too_long', values: { max: MAX_VALUE } } : { code: 'invalid_characters' }),
    }));
  if (fields.length === 0) return;
  const words = fields.map(({ field, code }) => `${field} (${code.replaceAll('_', ' ')})`);
  throw new AppError('invalid_request', { message: `Not accepted in the address: ${words.join(', ')}.`, fields });
}
