/** What an entry of the table of requirements is: a test, and a change of one line that makes it fail. */

export interface Proof {
  /** Of docs/security-requirements.md: `P01`, words of a class of holes, or a fault. */
  id: string;
  /** Below test/. */
  file: string;
  /** The name of the test, or how it begins. */
  test: string;
  /** Of a test that another test runs: the outer one, which is what can be run by itself. */
  within?: string;
  /** Absent where the test breaks something from outside. */
  change?: Change | undefined;
}

export interface Change {
  file: string;
  /** Occurs exactly once in the file. */
  from: string;
  to: string;
}

/** Where the protocol core has the check, the change is made in it. */
export const CORE = 'node_modules/oidc-provider/lib';

export function proof(
  id: string,
  file: string,
  test: string,
  change?: [file: string, from: string, to: string],
): Proof {
  const [changed, from, to] = change ?? [];
  return { id, file, test, change: changed ? { file: changed, from: String(from), to: String(to) } : undefined };
}
