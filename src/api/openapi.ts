/** The OpenAPI 3.1 description of the account API, from the schemas that check its requests and answers. */
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi';
import { ERROR_STATUS, type ErrorCode } from '../errors.ts';
import { Problem } from './answers.ts';
import { MEANINGS, problemExample } from './examples.ts';
import { TAGS } from './operation.ts';
import { errorsOf, OPERATIONS, type Operation } from './operations.ts';

export interface OpenApiOptions {
  /** An origin, as in the tokens' `iss`. */
  issuer: string;
  /** Paths of the authorization and token endpoints. */
  authorizationPath: string;
  tokenPath: string;
  /** Name of the browser session's cookie. */
  sessionCookie: string;
}

/** Of this description, not of the service: members may be added within the first number. */
const API_VERSION = '1.0.0';

export type OpenApi = ReturnType<typeof createOpenApi>;

export function createOpenApi(options: OpenApiOptions) {
  const paths: ZodOpenApiPathsObject = {};
  for (const operation of OPERATIONS) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: described(operation) };
  }
  return createDocument(
    {
      openapi: '3.1.1',
      info: {
        title: 'Latchkey account API',
        version: API_VERSION,
        description:
          'What a person can see and change about their own account. Answers are never stored (`Cache-Control: no-store`), members may be added to them. Errors are RFC 9457 problem documents: decide by `code`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: options.issuer }],
      tags: TAGS.map((name) => ({ name })),
      paths,
      components: { securitySchemes: securitySchemes(options) },
    },
    { override: plain },
  );
}

function described(operation: Operation): ZodOpenApiOperationObject {
  const { id, tag, summary, description, scope, params, query, body } = operation;
  const cookie: Record<string, string[]> = operation.method === 'get' ? { session: [] } : { session: [], csrf: [] };
  return {
    operationId: id,
    tags: [tag],
    summary,
    description,
    security: [{ oauth2: [scope] }, cookie],
    ...(params || query ? { requestParams: { ...(params ? { path: params } : {}), ...(query ? { query } : {}) } } : {}),
    ...(body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: body.schema, example: body.example } },
          },
        }
      : {}),
    responses: { ...success(operation), ...refusals(errorsOf(operation)) },
  };
}

const REQUEST_ID = { 'X-Request-ID': z.string().meta({ description: 'Under this id the request is in the log.' }) };

function success({ answer }: Operation): ZodOpenApiResponsesObject {
  const { description, schema, example } = answer;
  const headers = z.object(REQUEST_ID);
  if (!schema) return { '204': { description, headers } };
  return { '200': { description, headers, content: { 'application/json': { schema, example } } } };
}

/** One response a status, with an example for each code that has it. */
function refusals(codes: ErrorCode[]): ZodOpenApiResponsesObject {
  const responses: Record<string, ZodOpenApiResponseObject> = {};
  for (const [status, same] of Map.groupBy(codes, (code) => ERROR_STATUS[code])) {
    const title = STATUS_CODES[status] ?? 'Error';
    const examples = same.map(
      (code) => [code, { summary: MEANINGS[code], value: problemExample(code, title) }] as const,
    );
    responses[String(status)] = {
      description: same.map((code) => `\`${code}\`: ${MEANINGS[code]}`).join('\n\n'),
      headers: headersOf(status),
      content: { 'application/problem+json': { schema: Problem, examples: Object.fromEntries(examples) } },
    };
  }
  return responses as ZodOpenApiResponsesObject;
}

function headersOf(status: number) {
  const challenge = z
    .string()
    .optional()
    .meta({ description: 'RFC 6750 section 3.', example: 'Bearer error="invalid_token"' });
  const seconds = z.string().optional().meta({ description: 'Seconds.', example: '2' });
  return z.object({
    ...REQUEST_ID,
    ...(status === 401 || status === 403 ? { 'WWW-Authenticate': challenge } : {}),
    ...(status === 429 || status === 503 ? { 'Retry-After': seconds } : {}),
  });
}

function securitySchemes(options: OpenApiOptions) {
  const { issuer, authorizationPath, tokenPath, sessionCookie } = options;
  return {
    oauth2: {
      type: 'oauth2' as const,
      description: 'An opaque access token: ask for the scope without a `resource`.',
      flows: {
        authorizationCode: {
          authorizationUrl: new URL(authorizationPath, issuer).href,
          tokenUrl: new URL(tokenPath, issuer).href,
          refreshUrl: new URL(tokenPath, issuer).href,
          scopes: { 'account:read': 'See the account', 'account:write': 'Change the account' },
        },
      },
    },
    session: {
      type: 'apiKey' as const,
      in: 'cookie' as const,
      name: sessionCookie,
      description: 'The browser session of the hosted pages, for scripts of those pages.',
    },
    csrf: {
      type: 'apiKey' as const,
      in: 'header' as const,
      name: 'X-CSRF-Token',
      description: 'The form token of the page; needed beside the cookie for every change.',
    },
  };
}

interface Rendered {
  jsonSchema: { additionalProperties?: unknown; format?: string; pattern?: string };
  io: 'input' | 'output';
}

/** A client that was made from the description must survive a member that a later version adds. */
function plain({ jsonSchema, io }: Rendered): void {
  if (io === 'output') delete jsonSchema.additionalProperties;
  // The format says it; zod's pattern for it is a screenful.
  if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
}
