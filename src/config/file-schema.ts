/** The schema of the YAML file: clients, resources, roles, branding. The JSON Schema for editors is printed from it. */
import { z } from 'zod';
import { clientMembers, soundMembers, timeSpan } from './client-metadata.ts';
import { clientFaults, type MemberFault } from './client-rules.ts';

const RESERVED_SCOPES = new Set([
  ...['openid', 'profile', 'email', 'phone', 'address', 'offline_access', 'groups', 'roles'],
  ...['account:read', 'account:write', 'admin:read', 'admin:write'],
]);
const LITERAL = 'is a literal, but this file holds no secrets: write { env: NAME } or { file: PATH }';

const SecretReference = z
  .union([z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })], {
    error: ({ input }) => (typeof input === 'string' ? LITERAL : 'is neither { env: NAME } nor { file: PATH }'),
  })
  .describe('Where the secret is: an environment variable, or a file beside this one.');
export type SecretReference = z.output<typeof SecretReference>;

const Client = z.strictObject({
  ...clientMembers,
  client_secret: SecretReference.optional(),
  enabled: z.boolean().default(true).describe('False refuses it everywhere without forgetting it.'),
});

const scopeName = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'is not a scope (visible ASCII without quotes and backslashes)')
  .refine((name) => !RESERVED_SCOPES.has(name), 'is a scope of this service, a resource needs its own');
const words = z.string().min(1).max(200);

const Scope = z.union([
  scopeName.transform((name) => ({ name, title: undefined, description: undefined })),
  z.strictObject({
    name: scopeName,
    title: words.optional().describe('What the consent page says.'),
    description: words.optional().describe('A second line for the consent page.'),
  }),
]);

const Resource = z.strictObject({
  identifier: z
    .string()
    .refine((uri) => URL.canParse(uri) && !uri.includes('#'), 'is not an absolute URI without a fragment (RFC 8707)')
    .meta({ format: 'uri' })
    .describe('What clients send as resource; it becomes the audience of access tokens.'),
  name: words.describe('What the consent page calls it.'),
  scopes: z.array(Scope).max(100).default([]).describe('Scopes that belong to it.'),
  access_token_format: z
    .enum(['jwt', 'opaque'])
    .default('jwt')
    .describe('RFC 9068, or one that asks for introspection.'),
  access_token_ttl: timeSpan('1s', '1h').default(900).describe('Life of its access tokens.'),
  signing_alg: z.enum(['ES256', 'RS256', 'EdDSA']).default('ES256').describe('Signature of its JWT access tokens.'),
});

const Role = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,63}$/, 'is not a name of small letters, digits and hyphens that begins with a letter')
    .describe('What the claim `roles` says.'),
  description: words.optional().describe('What it is for; for operators.'),
  require_second_factor: z.boolean().default(false).describe('Who has it must have a second factor.'),
});

const link = (pattern: RegExp, problem: string) =>
  z
    .string()
    .refine((value) => URL.canParse(value) && pattern.test(value), problem)
    .meta({ format: 'uri' });
const page = link(/^https?:\/\//i, 'is not an http or https address').optional();

const Branding = z.strictObject({
  name: z.string().min(1).max(60).optional().describe('Your name, on pages and in mails.'),
  logo: z
    .string()
    .regex(/^(\/(?!\/)|https?:\/\/)\S*$/, 'is neither a path that begins with / nor an address under the issuer')
    .optional()
    .describe('A path, or an address under the issuer.'),
  accent: z
    .string()
    .regex(/^#[0-9A-Fa-f]{6}$/, 'is not a colour like #0b6e4f')
    .optional()
    .describe('Colour of buttons and links.'),
  links: z
    .strictObject({
      terms: page.describe('Terms of service.'),
      privacy: page.describe('Privacy policy.'),
      support: link(/^(https?:\/\/|mailto:)/i, 'is neither a web address nor mailto:')
        .optional()
        .describe('Help.'),
    })
    .optional()
    .describe('Links in the footer of every page.'),
});

export const ConfigSchema = z.strictObject({
  clients: z.array(Client).max(1000).default([]).describe('Applications that sign people in or call APIs.'),
  resources: z.array(Resource).max(1000).default([]).describe('APIs that clients can ask tokens for (RFC 8707).'),
  roles: z.array(Role).max(100).default([]).describe('Roles that accounts can have (`latchkey users roles`).'),
  branding: Branding.default({}).describe('Your name and colours on the pages.'),
});

/** What members mean together, for a file of which parts may be wrong. */
export function togetherFaults(file: unknown): MemberFault[] {
  const clients = mappings(file, 'clients');
  const resources = mappings(file, 'resources');
  const roles = mappings(file, 'roles');
  const within = (path: (string | number)[]) => (fault: MemberFault) => ({ ...fault, path: [...path, ...fault.path] });
  return [
    ...clients.flatMap((client, index) => oneClient(client).map(within(['clients', index]))),
    ...repeated(clients.map(({ client_id }) => client_id)).map((index) => twice('clients', index, 'client_id')),
    ...repeated(resources.map(({ identifier }) => identifier)).map((index) => twice('resources', index, 'identifier')),
    ...repeated(roles.map(({ name }) => name)).map((index) => twice('roles', index, 'name')),
    ...resources.flatMap(({ scopes }, index) =>
      repeated(Array.isArray(scopes) ? scopes.map((scope) => scope?.name ?? scope) : []).map((each) => ({
        path: ['resources', index, 'scopes', each],
        problem: 'is there twice',
      })),
    ),
  ];
}

function oneClient(client: Record<string, unknown>): MemberFault[] {
  const sound = soundMembers(client);
  const method = sound.token_endpoint_auth_method;
  const secret = client['client_secret'] !== undefined;
  const needed = method?.startsWith('client_secret_');
  const faults = clientFaults(sound);
  if (method && needed !== secret) {
    const problem = needed ? 'is missing, but' : 'has no use, because';
    faults.push({ path: ['client_secret'], problem: `${problem} token_endpoint_auth_method is ${method}` });
  }
  return faults;
}

function mappings(file: unknown, member: string): Record<string, unknown>[] {
  const list = (file as Record<string, unknown> | null)?.[member];
  return Array.isArray(list) ? list.map((each) => (typeof each === 'object' && each !== null ? each : {})) : [];
}

function repeated(values: unknown[]): number[] {
  return values.flatMap((value, index) => (value !== undefined && values.indexOf(value) < index ? [index] : []));
}

function twice(list: string, index: number, member: string): MemberFault {
  return { path: [list, index, member], problem: 'is there twice' };
}
