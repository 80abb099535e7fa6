/**
 * Bodies and queries at the door: the right shape, or a 4xx that names each wrong field. Nothing is cut, dropped or
 * repaired on the way (SECURITY P37, P41, X05, X06). Knows no route.
 */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { AppError } from '../errors.ts';
import { fieldErrors } from './field-errors.ts';
import { parsePairs, uniqueFields } from './form-pairs.ts';
import { parseStrictJson } from './strict-json.ts';

/** Bytes. */
export const MAX_BODY = 64 * 1024;

export const FORM = 'application/x-www-form-urlencoded';
const JSON_TYPE = 'application/json';

/** What is needed of a koa context. */
export interface WithRequest {
  req: IncomingMessage;
}

/**
 * The fields of a form that was sent by POST.
 * @param schema a `z.strictObject`, so that an unknown field is refused.
 * @throws AppError unsupported_media_type, body_too_large, or invalid_request with the fields.
 */
export async function readForm<T extends z.ZodType>(ctx: WithRequest, schema: T): Promise<z.output<T>> {
  const text = await readText(ctx.req, FORM);
  return check(schema, uniqueFields(parsePairs(text)));
}

/** As `readForm`, for a JSON body (RFC 8259). */
export async function readJson<T extends z.ZodType>(ctx: WithRequest, schema: T): Promise<z.output<T>> {
  return check(schema, parseStrictJson(await readText(ctx.req, JSON_TYPE)));
}

/** The query of the request's own address. @throws AppError invalid_request with the fields. */
export function readQuery<T extends z.ZodType>(ctx: WithRequest, schema: T): z.output<T> {
  const url = ctx.req.url ?? '';
  const question = url.indexOf('?');
  return check(schema, uniqueFields(question < 0 ? [] : parsePairs(url.slice(question + 1))));
}

function check<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  if (schema instanceof z.ZodObject && !schema.def.catchall) {
    throw new Error('a schema at the door is strict: write z.strictObject, so that nothing is dropped silently');
  }
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const fields = fieldErrors(result.error.issues, input);
  const words = fields.map(({ field, code }) => `${field || 'the body'} (${code.replaceAll('_', ' ')})`);
  throw new AppError('invalid_request', { message: `Not accepted: ${words.join(', ')}.`, fields });
}

/**
 * A body of this media type, as text and as nothing but UTF-8.
 * @param max bytes. @throws AppError unsupported_media_type, body_too_large, invalid_request.
 */
export async function readText(req: IncomingMessage, expected: string, max = MAX_BODY): Promise<string> {
  checkType(req, expected);
  const bytes = await readBytes(req, max);
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw new AppError('invalid_request', { message: 'The body is not UTF-8 text.', cause: error });
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function checkType(req: IncomingMessage, expected: string): void {
  const { headers } = req;
  if (headers['content-type'] === expected && headers['content-encoding'] === undefined) return;
  const [type = '', ...parameters] = (headers['content-type'] ?? '').split(';').map((part) => part.trim());
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter));
  const problem =
    (type.toLowerCase() !== expected && `Send the body as ${expected}, not as ${type || 'nothing that is named'}.`) ||
    (charset && !/^charset="?utf-?8"?$/i.test(charset) && `Send the body in UTF-8, not in ${charset.slice(8)}.`) ||
    (headers['content-encoding'] && 'Send the body without Content-Encoding.');
  if (problem) throw new AppError('unsupported_media_type', { message: problem, headers: { Accept: expected } });
}

/**
 * A body that is too long is answered at once and the rest of it thrown away as it arrives, so that the sender gets
 * to read the answer; `requestTimeout` bounds how long that may go on.
 */
function readBytes(req: IncomingMessage, max: number): Promise<Buffer> {
  if (Number(req.headers['content-length'] ?? 0) > max) {
    req.resume();
    return Promise.reject(tooLarge(max));
  }
  // By events: an iterator costs more than all else that is done with a short body.
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settled = () => req.off('data', more).off('end', complete).off('error', cut).off('close', cut);
    const fail = (error: AppError) => {
      settled();
      req.resume();
      reject(error);
    };
    const more = (chunk: Buffer) => {
      length += chunk.length;
      if (length > max) fail(tooLarge(max));
      else chunks.push(chunk);
    };
    const complete = () => {
      settled();
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length));
    };
    const cut = (cause?: Error) =>
      fail(new AppError('invalid_request', { message: 'The request ended before its body was complete.', cause }));
    if (req.readableEnded) complete();
    else if (req.destroyed) cut();
    else req.on('data', more).on('end', complete).on('error', cut).on('close', cut);
  });
}

function tooLarge(max: number): AppError {
  return new AppError('body_too_large', { message: `The body is longer than ${max} bytes, the most that is read.` });
}
