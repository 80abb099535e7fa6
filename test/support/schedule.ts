/** In which order the test files run, and which of them beside others. It knows their names and nothing of what is in them. */

/** These measure what work costs, or fail when they get no processor for a moment: each has the machine for itself. */
const ALONE = /^test\/(faults-(crowd|once|stop|storage|versions)|passwords|http-server)/;

/** These measure how long something takes. One of them runs beside a patient one. */
const TIMED = /^test\/(faults-keys|redis-topologies)/;

/** These do, too, and keep no more than half a core busy meanwhile. */
const PATIENT = /^test\/(faults-postgres|redis-faults)/;

/** These mostly wait, for a clock or for another process: one of them runs beside those that work. */
const WAITING =
  /^test\/(audit-chain|backchannel-logout|cli-process|faults-|launcher|limits-shared|mail-smtp|migrations-locked|outbox|postgres-silence|secrets|stop-silent|upgrade|workers)/;

/** The longest come first, so that none of them is left to the end. */
const LONGEST = [
  'journeys/nextjs',
  'views-browser',
  'redis-faults',
  'outbox',
  'faults-postgres',
  'journeys/electron',
  'backchannel-logout',
  'journeys/spa',
  'passkeys-browser',
  'secrets',
  'limits-shared',
  'faults-crash',
];

export interface Stage {
  files: string[];
  /** What runs at the same time: each takes the first file it may. */
  lanes: Array<(file: string) => boolean>;
}

export function stagesOf(files: readonly string[]): Stage[] {
  const rank = (file: string) => {
    const at = LONGEST.findIndex((name) => file.includes(name));
    return at < 0 ? LONGEST.length : at;
  };
  const sorted = files.toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  const any = () => true;
  const takes = (which: RegExp) => (file: string) => which.test(file);
  const late = [TIMED, PATIENT].map(takes);
  const alone = takes(ALONE);
  const isLate = (file: string) => late.some((each) => each(file));
  return [
    { files: sorted.filter((file) => !isLate(file) && !alone(file)), lanes: [any, any, takes(WAITING)] },
    { files: sorted.filter(isLate), lanes: late },
    { files: sorted.filter(alone), lanes: [any] },
  ].filter((stage) => stage.files.length > 0);
}
