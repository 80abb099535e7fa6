/** The OpenAPI document as data for the page `docs`: plain words and samples, nothing of JSON Schema. */
import type { OpenApi } from './openapi.ts';
import { OPERATIONS } from './operations.ts';

interface Field {
  name: string;
  type: string;
  in: string | null;
  required: boolean;
  description: string;
}

export interface DocsPage {
  title: string;
  operations: Array<{
    method: string;
    path: string;
    summary: string;
    description: string;
    tag: string;
    scopes: string[];
    parameters: Field[];
    requestBody: { contentType: string; fields: Field[]; example: string } | null;
    responses: Array<{ status: string; description: string; codes: string[]; example: string | null }>;
  }>;
}

/** The parts of the document that the page reads. */
interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  const?: unknown;
  anyOf?: Schema[];
}
interface Media {
  schema?: Schema;
  example?: unknown;
  examples?: Record<string, { value?: unknown }>;
}
interface Described {
  parameters?: Array<{ name: string; in: string; required?: boolean; description?: string; schema?: Schema }>;
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
}

export function docsPage(document: OpenApi): DocsPage {
  const schemas = (document.components?.schemas ?? {}) as Record<string, Schema>;
  const resolved = (schema: Schema = {}): Schema =>
    schema.$ref ? (schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {}) : schema;

  function fieldsOf(schema: Schema): Field[] {
    return Object.entries(schema.properties ?? {}).map(([name, member]) => {
      const field = resolved(member);
      const required = schema.required?.includes(name) === true;
      return { name, type: typeOf(field), in: null, required, description: field.description ?? '' };
    });
  }

  const operations = OPERATIONS.map(({ method, path, summary, description, tag, scope }) => {
    const described = document.paths?.[path]?.[method] as unknown as Described;
    const body = described.requestBody?.content['application/json'];
    return {
      ...{ method, path, summary, description: plainWords(description), tag, scopes: [scope] },
      parameters: (described.parameters ?? []).map(({ name, in: place, required, description, schema }) => ({
        ...{ name, in: place, required: required === true, type: typeOf(resolved(schema)) },
        description: plainWords(description ?? ''),
      })),
      requestBody: body
        ? { contentType: 'application/json', fields: fieldsOf(resolved(body.schema)), example: pretty(body.example) }
        : null,
      responses: Object.entries(described.responses).map(([status, response]) => responseOf(status, response)),
    };
  });
  return { title: document.info.title, operations };
}

function responseOf(status: string, { description, content }: Described['responses'][string]) {
  const media = Object.values(content ?? {})[0];
  const samples = Object.entries(media?.examples ?? {});
  const sample = media?.example ?? samples[0]?.[1].value;
  // A refusal's code stands beside the words already.
  const words = description.split('\n\n').map((line) => line.replace(/^`[a-z_]+`: /, ''));
  return {
    status,
    description: plainWords(words.join(' ')),
    codes: samples.map(([code]) => code),
    // All other refusals look alike.
    example: sample === undefined || Number(status) > 400 ? null : pretty(sample),
  };
}

function typeOf({ type, format, const: only, anyOf }: Schema): string {
  if (only !== undefined) return JSON.stringify(only);
  if (anyOf) return [...new Set(anyOf.map(typeOf))].join(' or ');
  const types = [type ?? 'any'].flat().join(' or ');
  return format ? `${types} (${format})` : types;
}

function plainWords(text: string): string {
  return text.replaceAll('`', '');
}

function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
