/** Client metadata at this door: checked by the rules of the configuration file, before anything is opened. */
import { clientMetadataFaults } from '../config/client-metadata.ts';
import { secondsOf } from '../config/values.ts';
import { AppError } from '../errors.ts';

type Metadata = Record<string, unknown>;

/** Members that may be written as `7d` and are kept in seconds. */
const TIME_SPANS = ['refresh_token_idle_ttl', 'refresh_token_absolute_ttl'];

/** @throws AppError invalid_request that names every fault. */
export function checkMetadata(metadata: Metadata): void {
  const faults = clientMetadataFaults(metadata);
  if (faults.length === 0) return;
  const lines = faults.map(({ member, problem }) => `  ${subject(member, metadata)} ${problem}.`);
  throw new AppError('invalid_request', { message: ["The client's metadata is not valid:", ...lines].join('\n') });
}

/** What is stored of members that passed the check. */
export function inSeconds(members: Metadata): Metadata {
  const entries = Object.entries(members).map(([member, value]): [string, unknown] => {
    const written = TIME_SPANS.includes(member) && typeof value === 'string';
    return [member, written ? secondsOf(value) : value];
  });
  return Object.fromEntries(entries);
}

/** The member's path, and its value where that is short enough to tell more. */
function subject(path: string, metadata: Metadata): string {
  let value: unknown = metadata;
  for (const step of path.split('.')) value = Object.entries(value ?? {}).find(([member]) => member === step)?.[1];
  return typeof value === 'string' && value.length <= 200 ? `${path} (${value})` : path;
}
