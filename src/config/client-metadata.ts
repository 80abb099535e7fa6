/**
 * Metadata of a client: the members of RFC 7591 and OpenID Connect Dynamic Client Registration that this service
 * honours, and our own. The configuration file and the command line check by it; the protocol core checks again.
 */
import { z } from 'zod';
import { clientFaults, DEVICE_GRANT, type SoundMembers } from './client-rules.ts';
import { secondsOf } from './values.ts';
import { parseWords } from './words.ts';

export { redirectUriFault } from './redirect-uri.ts';

const GRANTS = ['authorization_code', 'refresh_token', 'client_credentials', DEVICE_GRANT] as const;
const METHODS = ['client_secret_basic', 'client_secret_post', 'none', 'private_key_jwt'] as const;
/** The client of the hosted account pages. */
const RESERVED_IDS = ['latchkey-account'];
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/;

const webUri = z
  .string()
  .refine((value) => /^https?:$/.test(URL.parse(value)?.protocol ?? ''), 'is not an http or https address')
  .meta({ format: 'uri' });
const uris = z.array(z.string().meta({ format: 'uri' })).max(100);
const line = z.string().min(1).max(200);

/** A time span: seconds, or `15m`, `12h`, `7d`. The result is seconds. */
export function timeSpan(min: string, max: string) {
  const [low, high] = [secondsOf(min) as number, secondsOf(max) as number];
  const words = `is not a time span from ${min} to ${max} (seconds, or 90s, 15m, 12h, 7d)`;
  return z
    .union([z.int(), z.string().regex(/^\d{1,9}[smhd]?$/)], words)
    .transform((value) => secondsOf(String(value)) ?? 0)
    .refine((value) => value >= low && value <= high, words);
}

export const clientMembers = {
  client_id: z
    .string()
    .min(1)
    .max(100)
    .regex(/^[\x21-\x7e]+$/, 'has a character other than visible ASCII')
    .refine((value) => !RESERVED_IDS.includes(value), 'is reserved for the account pages')
    .describe('The name by which the application identifies itself.'),
  client_name: line.optional().describe('What people read on the pages.'),
  client_uri: webUri.optional().describe('Home page of the application.'),
  logo_uri: webUri.optional().describe('Logo of the application; pages show only those under the issuer.'),
  policy_uri: webUri.optional().describe("The application's privacy policy."),
  tos_uri: webUri.optional().describe("The application's terms of service."),
  contacts: z.array(line).max(20).optional().describe('Mail addresses of the people responsible.'),
  software_id: line.optional().describe('Names the software, over all of its installations.'),
  software_version: line.optional().describe('Version of the software.'),
  application_type: z.enum(['web', 'native']).default('web').describe('Decides which redirect addresses are allowed.'),
  redirect_uris: uris.optional().describe('Where people may be sent back to; compared character for character.'),
  post_logout_redirect_uris: uris.optional().describe('Where people may be sent to after a sign-out.'),
  backchannel_logout_uri: webUri.optional().describe('Where the application is told of a sign-out.'),
  backchannel_logout_session_required: z
    .boolean()
    .optional()
    .describe('Whether ID tokens and logout notices shall name the session (sid).'),
  grant_types: z
    .array(z.enum(GRANTS))
    .min(1)
    .default(['authorization_code', 'refresh_token'])
    .describe('The ways by which the application gets tokens.'),
  response_types: z.array(z.literal('code')).max(1).optional().describe('Only the code flow is offered.'),
  token_endpoint_auth_method: z
    .enum(METHODS)
    .default('client_secret_basic')
    .describe('How the application proves itself; none for one that can not keep a secret.'),
  token_endpoint_auth_signing_alg: z
    .enum(['RS256', 'PS256', 'ES256', 'EdDSA'])
    .optional()
    .describe('The only algorithm of its assertions, with private_key_jwt.'),
  jwks: z
    .strictObject({ keys: z.array(z.record(z.string(), z.unknown())).min(1).max(20) })
    .optional()
    .describe('Public keys of the application.'),
  jwks_uri: webUri.optional().describe('Where the public keys of the application are.'),
  scope: z
    .string()
    .regex(SCOPE, 'is not a list of scopes separated by spaces')
    .optional()
    .describe("Scopes it may ask for; all when left out, but the account API's only for a first-party one."),
  subject_type: z.literal('public').optional().describe('Every application sees the same subject.'),
  id_token_signed_response_alg: z
    .enum(['RS256', 'ES256', 'EdDSA'])
    .default('RS256')
    .describe('Signature of its ID tokens.'),
  default_max_age: z.int().min(0).optional().describe('Seconds after which people sign in again.'),
  require_auth_time: z.boolean().optional().describe('Whether ID tokens always tell when the person signed in.'),
  initiate_login_uri: webUri.optional().describe('Where a sign-in can be begun from outside.'),
  require_pushed_authorization_requests: z
    .boolean()
    .optional()
    .describe('Whether requests have to be pushed (RFC 9126).'),
  dpop_bound_access_tokens: z.boolean().optional().describe('Whether tokens are always bound to a key (RFC 9449).'),
  first_party: z.boolean().default(false).describe("The operator's own application: nobody is asked for consent."),
  require_second_factor: z
    .boolean()
    .default(false)
    .describe('Whether people sign in to it with two factors; a remembered device does not count.'),
  default_acr_values: z
    .array(z.enum(['urn:latchkey:email', 'urn:latchkey:pwd', 'urn:latchkey:mfa', 'phr', 'phrh']))
    .max(5)
    .optional()
    .describe('Strength of the sign-in where a request names none (docs/factors.md).'),
  require_pkce: z.boolean().default(true).describe('False only for a confidential client that sends none.'),
  refresh_replay_window: z
    .int()
    .min(0)
    .max(300)
    .optional()
    .describe(
      'Seconds in which a spent refresh token gets the same answer again: 60 (public clients 10), 0 for never.',
    ),
  refresh_token_idle_ttl: timeSpan('1s', '365d').optional().describe('Refresh tokens end when unused for this long.'),
  refresh_token_absolute_ttl: timeSpan('1s', '365d').optional().describe('Chains of refresh tokens end after this.'),
};

/** Members that are right by themselves, with their defaults. */
export function soundMembers(metadata: unknown): SoundMembers {
  const given = (typeof metadata === 'object' ? metadata : undefined) as Record<string, unknown> | undefined;
  const results = Object.entries(clientMembers).map(
    ([name, schema]) => [name, schema.safeParse(given?.[name])] as const,
  );
  return Object.fromEntries(results.filter(([, { success }]) => success).map(([name, { data }]) => [name, data]));
}

/** Whoever registers a client may leave its id and its secret to us. */
const Metadata = z.strictObject({
  ...clientMembers,
  client_id: clientMembers.client_id.optional(),
  client_secret: z.string().optional(),
});

/** Faults of metadata from the command line: each is a member's path and the rest of a sentence about it. */
export function clientMetadataFaults(metadata: Record<string, unknown>): Array<{ member: string; problem: string }> {
  const { error } = Metadata.safeParse(metadata, { error: parseWords });
  const single = (error?.issues ?? []).flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [key], problem: 'is not known' }))
      : [{ path: issue.path, problem: issue.message }],
  );
  return [...single, ...clientFaults(soundMembers(metadata))].map(({ path, problem }) => ({
    member: path.map(String).join('.'),
    problem,
  }));
}
