/** Faults of the configuration: collected, then thrown together as one message for the operator. */

export interface Fault {
  /** A setting's name, or file, line and path of a member. */
  name: string;
  /** What is wrong, as the rest of a sentence that begins with the name. Never contains a secret. */
  problem: string;
  expected?: string | undefined;
  example?: string | undefined;
}

/** The end of a start that can't work: `EX_CONFIG` of sysexits.h, another start would say the same. */
export class ConfigError extends Error {
  readonly exitCode = 78;
  readonly faults: Fault[];

  constructor(faults: Fault[]) {
    super(describe(faults));
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

/** A value that can't be read; the message is the rest of a sentence that begins with its name. */
export class Refused extends Error {}

function describe(faults: Fault[]): string {
  const head =
    faults.length === 1 ? 'The configuration has a fault:' : `The configuration has ${faults.length} faults:`;
  return [head, ...faults.map(lines)].join('\n\n');
}

function lines({ name, problem, expected, example }: Fault): string {
  const rest = [expected && `    Expected: ${expected}`, example && `    Example:  ${example}`].filter(Boolean);
  return [`  ${name} ${problem}${problem.endsWith('?') ? '' : '.'}`, ...rest].join('\n');
}
