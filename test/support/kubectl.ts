import { type Outcome, outcomeOf, output, type RunningProgram, type RunOptions, startProgram } from "./running.ts";

/** kubectl as an administrator of one server. Objects come and go as plain JSON. */
export interface Kubectl {
  /** What it prints; throws with its error when it fails. */
  (...args: string[]): Promise<string>;
  with(options: RunOptions): (...args: string[]) => Promise<string>;
  /** For commands that should fail, and whose streams and exit code matter. */
  outcome(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  get<T = KubeJson>(...args: string[]): Promise<T>;
  items<T = KubeJson>(...args: string[]): Promise<T[]>;
  apply(...objects: object[]): Promise<string>;
  start(args: readonly string[], options?: { env?: Record<string, string> }): RunningProgram;
}

/** An object as kubectl prints it, read by a test that knows what it asks for. */
// oxlint-disable-next-line no-explicit-any
export type KubeJson = any;

export function kubectlFor({ wrap, kubeconfig, home }: { wrap: (command: readonly string[]) => string[]; kubeconfig: string; home: string }): Kubectl {
  const command = (args: readonly string[]): string[] => wrap(["kubectl", ...args]);
  const env = { KUBECONFIG: kubeconfig, HOME: home };
  const withEnv = (options: RunOptions = {}): RunOptions => ({ ...options, env: { ...env, ...options.env } });
  const run = (...args: string[]): Promise<string> => output(command(args), withEnv());
  return Object.assign(run, {
    with: (options: RunOptions) => (...args: string[]) => output(command(args), withEnv(options)),
    outcome: (args: readonly string[], options?: RunOptions) => outcomeOf(command(args), withEnv(options)),
    async get<T>(...args: string[]) {
      return JSON.parse(await run("get", ...args, "-o", "json")) as T;
    },
    async items<T>(...args: string[]) {
      return (JSON.parse(await run("get", ...args, "-o", "json")) as { items: T[] }).items;
    },
    apply: (...objects: object[]) => output(command(["apply", "-f", "-"]), withEnv({ input: JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }) })),
    start: (args: readonly string[], options: { env?: Record<string, string> } = {}) => startProgram(command(args), { env: { ...env, ...options.env } }),
  });
}
