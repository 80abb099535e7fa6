/** How long somebody waits for what others do. */

/** What the work resolves with, or `otherwise` after so many milliseconds; the work goes on. Leaves no timer behind that
 * would keep the process. */
export async function within<Result>(ms: number, work: Promise<Result>, otherwise: Result): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Result>((resolve) => {
    timer = setTimeout(resolve, ms, otherwise);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
