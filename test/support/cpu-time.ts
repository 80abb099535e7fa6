/** How long something works, whoever else works on the machine meanwhile. */

/** Of this thread, in milliseconds. */
export function cpuTime(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
