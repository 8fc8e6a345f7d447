import { eventually } from "./eventually.ts";

export interface Outcome {
  stdout: string;
  stderr: string;
  exitCode: number;
}

export interface RunOptions {
  input?: string | Uint8Array;
  env?: Record<string, string>;
  cwd?: string;
  /** The program is killed after it; two minutes when nothing is said. */
  timeoutMs?: number;
}

/** Runs a program to its end. */
export async function outcomeOf(command: readonly string[], { input, env, cwd, timeoutMs = 120_000 }: RunOptions = {}): Promise<Outcome> {
  const child = Bun.spawn([...command], { stdin: input === undefined ? "ignore" : Buffer.from(input as string), stdout: "pipe", stderr: "pipe", env: { ...process.env, ...env }, ...(cwd ? { cwd } : {}) });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  clearTimeout(timer);
  return { stdout, stderr, exitCode };
}

/** Runs a program to its end and returns what it wrote to stdout. Throws with all it wrote when it fails. */
export async function output(command: readonly string[], options?: RunOptions): Promise<string> {
  const { stdout, stderr, exitCode } = await outcomeOf(command, options);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: exit code ${exitCode}\n${stdout}${stderr}`);
  return stdout;
}

/** A program that goes on while the test does. */
export interface RunningProgram {
  readonly pid: number;
  /** All it has written so far, both streams. */
  text(): string;
  write(input: string): void;
  endInput(): void;
  /** Waits until it has written something that matches. */
  until(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  exited: Promise<number>;
  stop(signal?: NodeJS.Signals): Promise<number>;
}

export function startProgram(command: readonly string[], { env }: { env?: Record<string, string> } = {}): RunningProgram {
  const child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "pipe", env: { ...process.env, ...env } });
  let text = "";
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  const exited = Promise.all([child.exited, collect(child.stdout), collect(child.stderr)]).then(([code]) => code);
  return {
    pid: child.pid, exited,
    text: () => text,
    write(input) {
      child.stdin.write(input);
      child.stdin.flush();
    },
    endInput: () => void child.stdin.end(),
    until: (pattern, timeoutMs = 60_000) => eventually(() => {
      const match = pattern.exec(text);
      if (!match) throw new Error(`${command.join(" ")} has not written ${pattern} but ${JSON.stringify(text)}`);
      return match;
    }, { timeout: timeoutMs, interval: 20 }),
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      return exited;
    },
  };
}
