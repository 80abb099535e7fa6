/**
 * The YAML file (`LATCHKEY_CONFIG`): read, checked strictly, its references to secrets followed. Every fault carries
 * the line and the path of the member. Knows no database; applying the clients is done by `oidc/`.
 */
import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { type Environment, type ReadFile, reason } from './environment.ts';
import { ConfigError, type Fault, Refused } from './fault.ts';
import { ConfigSchema, type SecretReference, togetherFaults } from './file-schema.ts';
import { asIssue, parseSource } from './file-source.ts';
import { clientSecret } from './secrets.ts';
import { quoted } from './values.ts';
import { parseWords } from './words.ts';

type Declared = z.output<typeof ConfigSchema>;

/** Metadata as the protocol core takes it, and whether the client is enabled. */
export type ClientDeclaration = Record<string, unknown> & { client_id: string; enabled: boolean };

export interface ResourceDeclaration {
  identifier: string;
  name: string;
  scopes: Array<{ name: string; title?: string | undefined; description?: string | undefined }>;
  format: 'jwt' | 'opaque';
  /** Seconds. */
  accessTokenTtl: number;
  signingAlg: 'ES256' | 'RS256' | 'EdDSA';
}

export interface RoleDeclaration {
  name: string;
  description: string | undefined;
  requireSecondFactor: boolean;
}

export interface ConfigFile {
  clients: ClientDeclaration[];
  resources: ResourceDeclaration[];
  roles: RoleDeclaration[];
  branding: Declared['branding'];
}

/** What a start without a file has. */
export const NO_CONFIG_FILE: Readonly<ConfigFile> = { clients: [], resources: [], roles: [], branding: {} };

export interface FileOptions {
  /** Where `{ env: NAME }` looks. */
  env: Environment;
  readFile: ReadFile;
}

/** @throws ConfigError with every fault at once. Relative paths of secrets start at the file's folder. */
export function loadConfigFile(path: string, { env, readFile }: FileOptions): ConfigFile {
  const source = parseSource(path, readText(path, readFile));
  const result = ConfigSchema.safeParse(source.value, { error: parseWords });
  const together = togetherFaults(source.value);
  if (!result.success || together.length > 0) {
    throw new ConfigError(source.faults([...(result.error?.issues ?? []), ...together.map(asIssue)]));
  }
  const faults: Fault[] = [];
  const clients = result.data.clients.map((client, index) => {
    const at = source.where(['clients', index, 'client_secret']);
    return declaration(client, (reference) =>
      secretText(reference, { env, readFile, folder: dirname(path), at, faults }),
    );
  });
  if (faults.length > 0) throw new ConfigError(faults);
  const { resources, roles, branding } = result.data;
  return { clients, resources: resources.map(resource), roles: roles.map(role), branding };
}

function readText(path: string, readFile: ReadFile): string {
  try {
    return readFile(path);
  } catch (error) {
    const name = `LATCHKEY_CONFIG (${quoted(path)})`;
    throw new ConfigError([{ name, problem: `can't be read (${reason(error)})`, expected: 'the path of a YAML file' }]);
  }
}

function declaration(client: Declared['clients'][number], secretOf: (reference: SecretReference) => string) {
  const { client_secret: reference, ...members } = client;
  const codes = client.grant_types.includes('authorization_code');
  return {
    ...Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)),
    client_id: client.client_id,
    enabled: client.enabled,
    redirect_uris: client.redirect_uris ?? [],
    response_types: codes ? ['code'] : [],
    ...(reference ? { client_secret: secretOf(reference) } : {}),
  };
}

function secretText(
  reference: SecretReference,
  { env, readFile, folder, at, faults }: FileOptions & { folder: string; at: string; faults: Fault[] },
): string {
  const source = 'env' in reference ? `the variable ${reference.env}` : `the file ${quoted(reference.file)}`;
  try {
    const text = 'env' in reference ? env[reference.env] : readFile(resolve(folder, reference.file));
    if (!text?.trim()) throw new Refused('is not set or empty');
    return clientSecret(text.trim());
  } catch (error) {
    const problem = error instanceof Refused ? error.message : `can't be read (${reason(error)})`;
    faults.push({
      name: at,
      problem: `refers to ${source}, which ${problem}`,
      expected: 'a random secret of at least 16 characters',
      example: '$(openssl rand -base64 32)',
    });
    return '';
  }
}

function resource(declared: Declared['resources'][number]): ResourceDeclaration {
  const { identifier, name, scopes, access_token_format, access_token_ttl, signing_alg } = declared;
  return {
    identifier,
    name,
    scopes,
    format: access_token_format,
    accessTokenTtl: access_token_ttl,
    signingAlg: signing_alg,
  };
}

function role({ name, description, require_second_factor }: Declared['roles'][number]): RoleDeclaration {
  return { name, description, requireSecondFactor: require_second_factor };
}
