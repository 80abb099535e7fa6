/**
 * The settings of a start: read from the environment and `.env`, checked together, and typed. Reads no `process`;
 * the caller hands the environment in.
 */
import { assemble, type Settings } from './assembly.ts';
import { combinedFaults, doubts } from './combinations.ts';
import { type Environment, mergeEnvironment, type ReadFile, readVariables, unknownNames } from './environment.ts';
import { ConfigError } from './fault.ts';

export type { Settings } from './assembly.ts';

export interface LoadOptions {
  env: Environment;
  /** Folder of `.env`, and of relative paths. */
  cwd: string;
  readFile: ReadFile;
}

export interface Loaded {
  settings: Settings;
  /** Sentences for the operator; they stop nothing. */
  warnings: string[];
  /** The environment with what `.env` adds, for references in the configuration file. */
  env: Environment;
}

/** @throws ConfigError with every fault at once. */
export function loadSettings(options: LoadOptions): Loaded {
  const { env, faults: unmerged } = mergeEnvironment(options);
  const { values, faults: unreadable } = readVariables({ ...options, env });
  const settings = assemble(values, options.cwd, env['NODE_ENV']);
  const known = [...unmerged, ...unreadable];
  // A setting that can't be read is not missing as well.
  const faults = [
    ...known,
    ...combinedFaults(settings).filter(({ name }) => !known.some((each) => each.name.includes(name))),
  ];
  if (faults.length > 0) throw new ConfigError(faults);
  return { settings, warnings: [...unknownNames(env), ...doubts(settings)], env };
}
