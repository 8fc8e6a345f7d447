import { readFileSync } from "node:fs";

const ticksPerSecond = 100;

export interface ProcessFigures {
  /** Resident memory in MB, and the part of it that is not of files. */
  residentMb: number;
  anonymousMb: number;
  cpuSeconds: number;
  /** Bytes the process has caused to be written to disk. */
  writtenBytes: number;
}

export function figuresOf(pid: number): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, "utf8"), io = readFileSync(`/proc/${pid}/io`, "utf8"), stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const field = (text: string, name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? NaN);
  // After the program's name in brackets: state is the 3rd field, utime and stime the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return {
    residentMb: field(status, "VmRSS") * 1024 / 1e6, anonymousMb: field(status, "RssAnon") * 1024 / 1e6,
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond, writtenBytes: field(io, "write_bytes"),
  };
}
