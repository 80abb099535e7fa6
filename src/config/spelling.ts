/** Which of the known names somebody may have meant. */

/** The one of `known` that begins alike, or the nearest, unless it is too far away to be a slip. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const longer = known.find((each) => name.length >= 4 && each.startsWith(name));
  if (longer) return longer;
  const ranked = known
    .map((each) => ({ each, distance: distanceOf(name.toLowerCase(), each.toLowerCase()) }))
    .sort((left, right) => left.distance - right.distance);
  const best = ranked[0];
  const allowed = Math.max(2, Math.floor(name.length / 5));
  return best && best.distance <= allowed ? best.each : undefined;
}

/** Levenshtein distance. */
function distanceOf(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const replace = (row[j - 1] as number) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[right.length] as number;
}
