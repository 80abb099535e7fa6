/** The table of requirements: all entries, what is known of their runs, and docs/security-tests.md made of both. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AWAITED, PEOPLE_PROOFS } from './people.ts';
import { FAULTS, FAULTS_AWAITED, HOLES, PLATFORM } from './platform.ts';
import { PROTOCOL } from './protocol.ts';
import type { Proof } from './requirement.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const RESULTS = fileURLToPath(new URL('results.json', import.meta.url));
export const PAGE = 'docs/security-tests.md';

export const REQUIREMENTS = [...PROTOCOL, ...PEOPLE_PROOFS, ...PLATFORM];
export const PROOFS = [...REQUIREMENTS, ...HOLES, ...FAULTS];
export { AWAITED, FAULTS, FAULTS_AWAITED, HOLES };

/** How the test went with the change: it should have failed. */
export interface Result {
  /** Of the change and the test: another one makes the result void. */
  of: string;
  /** UTC. */
  date: string;
  outcome: 'failed' | 'survived' | 'failed without the change, too';
  seconds: number;
  /** What the test said: so that one can see that it failed for the reason it is there for. */
  why?: string;
}

export const keyOf = ({ id, file, test }: Proof): string => `${id} | ${file} | ${test}`;

export const digestOf = (proof: Proof): string =>
  createHash('sha256')
    .update(JSON.stringify([proof.file, proof.test, proof.change]))
    .digest('hex')
    .slice(0, 12);

export const readResults = (): Record<string, Result> => JSON.parse(readFileSync(RESULTS, 'utf8'));

/** The result of this entry as it is now. */
export function resultOf(proof: Proof, results: Record<string, Result>): Result | undefined {
  const result = results[keyOf(proof)];
  return result?.of === digestOf(proof) ? result : undefined;
}

const code = (text: string) => {
  const line = text
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('|', '\\|');
  return line === '' ? 'nothing' : line.includes('`') ? `\`\` ${line} \`\`` : `\`${line}\``;
};

function row(proof: Proof, results: Record<string, Result>): string {
  const { id, file, test, change } = proof;
  const result = resultOf(proof, results);
  const words = result ? `${result.outcome}, ${result.date.slice(0, 10)}` : 'not run yet';
  const changed = change
    ? `${change.file.replace('node_modules/', '')}: ${code(change.from)} → ${code(change.to)}`
    : '';
  return `| ${id} | ${file.replace('.test.ts', '')}: ${test.replaceAll('|', '\\|')} | ${changed} | ${change ? words : ''} |`;
}

function table(heading: string, proofs: Proof[], results: Record<string, Result>): string {
  const lines = ['| id | test | change | with it the test |', '|---|---|---|---|'];
  return [`## ${heading}`, '', ...lines, ...proofs.map((proof) => row(proof, results))].join('\n');
}

export function page(results: Record<string, Result>): string {
  const changed = PROOFS.filter(({ change }) => change);
  const ran = changed.map((proof) => resultOf(proof, results));
  const failed = ran.filter((result) => result?.outcome === 'failed').length;
  const awaited = (list: Record<string, string>) => Object.entries(list).map(([id, what]) => `- **${id}**: ${what}`);
  return `${[
    '# Tests of the security requirements',
    '',
    '<!-- Printed by `npm run proofs -- mutations`; change it in test/requirements/. -->',
    '',
    'A line of [security-requirements.md](security-requirements.md), the test that looks at it, and a change of one line that takes',
    'away what the test looks for. `npm run proofs -- mutations` makes each change in a copy of the project and runs that test:',
    'first without the change, when it must pass, then with it, when it must fail. Names of requirements after the command run',
    'these alone; what has a result is not run again, unless the entry was changed or `--again` is said. Where the protocol core',
    'has the check, the change is made in the core. Test names stand as in the files, cut where they differ by engine.',
    '',
    `Of ${changed.length} changes ${ran.filter(Boolean).length} were run, and with ${failed} of them the test failed.`,
    '',
    '## Not shown yet',
    '',
    'The code or the test of these is not there, wholly or in the part that is named:',
    '',
    ...awaited({ ...AWAITED, ...FAULTS_AWAITED }),
    '',
    table('Requirements', REQUIREMENTS, results),
    '',
    'Classes of real holes that no line above covers by itself:',
    '',
    table('Classes of real holes', HOLES, results),
    '',
    'Faults are made from outside by the tests of the table; at full count by `npm run proofs`',
    '([reliability.md](reliability.md)).',
    '',
    table('Faults', FAULTS, results),
  ].join('\n')}\n`;
}
