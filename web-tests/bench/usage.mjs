// What a process has used so far, as Linux counts it.

import { readFile } from 'node:fs/promises';

/** The unit of `/proc/<pid>/stat`, the same on every Linux. */
const TICKS_PER_S = 100;

/**
 * @param {number} pid
 */
export async function usageOf(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  // The program's name before them may hold anything, blanks and brackets too.
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
  const kib = Number(status.match(/VmHWM:\s*(\d+) kB/)?.[1]);
  return { cpu_s: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S, peak_mib: kib / 1024 };
}
