/** One line of a container's log as CRI runtimes write it: `<RFC 3339 nano> <stdout|stderr> <F|P> <text>`. */
export interface LogLine {
  timestamp: string;
  stream: "stdout" | "stderr";
  /** The line was too long and goes on in the next entry. */
  partial: boolean;
  text: string;
}

/** Undefined for what is no log line (one being written, or damaged by a power cut). */
export function parseLogLine(line: string): LogLine | undefined {
  const first = line.indexOf(" ");
  const second = line.indexOf(" ", first + 1);
  const third = line.indexOf(" ", second + 1);
  if (first < 0 || second < 0 || third < 0) return undefined;
  const stream = line.slice(first + 1, second);
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  return { timestamp: line.slice(0, first), stream, partial: line.slice(second + 1, third).split(":")[0] === "P", text: line.slice(third + 1) };
}
