/** What Linux says of a process and its children: processor time and memory. Knows no server. */
import { readFileSync } from 'node:fs';

/** `USER_HZ`: the kernel's unit of these files, whatever its own clock. */
const TICKS_PER_SECOND = 100;
const KIB_PER_MIB = 1024;

/** The process and those that it started. */
export function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap((child) => family(Number(child))))];
}

/** Milliseconds of processor time, in user and kernel mode, of all threads. */
export function cpuMs(pids: number[]): number {
  return pids.reduce((sum, pid) => sum + timesIn(`/proc/${pid}/stat`), 0);
}

/** The same of the main thread alone. */
export function threadCpuMs(pid: number): number {
  return timesIn(`/proc/${pid}/task/${pid}/stat`);
}

function timesIn(file: string): number {
  const stat = readFileSync(file, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** Resident memory in MiB; pages that processes share are counted in each. */
export function rssMiB(pids: number[]): number {
  return pids.reduce((sum, pid) => {
    const line = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return sum + Number(line?.[1] ?? 0) / KIB_PER_MIB;
  }, 0);
}
