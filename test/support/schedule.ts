/** In which order the test files run, and which of them beside others. It knows their names and nothing of what is in them. */

/** These measure how long something takes, or how the machine bears a load: each gets it for itself. */
const ALONE = /^test\/(faults-(crowd|keys|once|postgres|stop|storage|versions)|redis-|passwords|http-server)/;

/** These mostly wait, for a clock or for another process: one of them runs beside those that work. */
const WAITING =
  /^test\/(audit-chain|backchannel-logout|cli-process|faults-|launcher|limits-shared|mail-smtp|migrations-locked|outbox|postgres-silence|secrets|stop-silent|upgrade|workers)/;

/** The longest come first, so that none of them is left to the end. */
const LONGEST = [
  'journeys/nextjs',
  'views-browser',
  'outbox',
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
  return [
    { files: sorted.filter((file) => !ALONE.test(file)), lanes: [any, any, (file: string) => WAITING.test(file)] },
    { files: sorted.filter((file) => ALONE.test(file)), lanes: [any] },
  ].filter((stage) => stage.files.length > 0);
}
