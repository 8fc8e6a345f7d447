import { eventually } from "./eventually.ts";
import { type Outcome, outcomeOf, output, type RunningProgram, type RunOptions, startProgram } from "./running.ts";

/** kubectl as an administrator of one server. Objects come and go as plain JSON. Does with Debian 12's kubectl, 1.20, what newer ones have words for. */
export interface Kubectl {
  /** What it prints; throws with its error when it fails. */
  (...args: string[]): Promise<string>;
  with(options: RunOptions): (...args: string[]) => Promise<string>;
  /** For commands that should fail, and whose streams and exit code matter. */
  outcome(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  get<T = KubeJson>(...args: string[]): Promise<T>;
  items<T = KubeJson>(...args: string[]): Promise<T[]>;
  apply(...objects: object[]): Promise<string>;
  /** Waits until a pod's status satisfies `check`, which throws while it does not; returns the status. */
  untilPod(name: string, check: (status: KubeJson) => void, timeoutMs?: number): Promise<KubeJson>;
  /** What is told of an object, a line for each Event: LAST SEEN, TYPE, REASON, OBJECT, MESSAGE. */
  eventsOf(name: string): Promise<string>;
  /** A fresh token of a service account in the default namespace. */
  token(serviceAccount: string): Promise<string>;
  start(args: readonly string[], options?: { env?: Record<string, string> }): RunningProgram;
}

/** An object as kubectl prints it, read by a test that knows what it asks for. */
// oxlint-disable-next-line no-explicit-any
export type KubeJson = any;

/** Who is told to wait for so long is not killed before; it has a while more to begin and to say that it has waited in vain. */
function patience(args: readonly string[]): RunOptions {
  const seconds = args.map((arg) => /^--timeout=(\d+)s$/.exec(arg)?.[1]).find(Boolean);
  return seconds ? { timeoutMs: (Number(seconds) + 60) * 1000 } : {};
}

export function kubectlFor({ wrap, kubeconfig, home }: { wrap: (command: readonly string[]) => string[]; kubeconfig: string; home: string }): Kubectl {
  const command = (args: readonly string[]): string[] => wrap(["kubectl", ...args]);
  const env = { KUBECONFIG: kubeconfig, HOME: home };
  const withEnv = (args: readonly string[], options: RunOptions = {}): RunOptions => ({ ...patience(args), ...options, env: { ...env, ...options.env } });
  const run = (...args: string[]): Promise<string> => output(command(args), withEnv(args));
  return Object.assign(run, {
    with: (options: RunOptions) => (...args: string[]) => output(command(args), withEnv(args, options)),
    outcome: (args: readonly string[], options?: RunOptions) => outcomeOf(command(args), withEnv(args, options)),
    async get<T>(...args: string[]) {
      return JSON.parse(await run("get", ...args, "-o", "json")) as T;
    },
    async items<T>(...args: string[]) {
      return (JSON.parse(await run("get", ...args, "-o", "json")) as { items: T[] }).items;
    },
    apply: (...objects: object[]) => output(command(["apply", "-f", "-"]), withEnv([], { input: JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }) })),
    untilPod: (name: string, check: (status: KubeJson) => void, timeout = 60_000) => eventually(async () => {
      const { status } = JSON.parse(await run("get", "pod", name, "-o", "json")) as { status: KubeJson };
      check(status);
      return status;
    }, { timeout, interval: 100 }),
    eventsOf: (name: string) => run("get", "events", "--field-selector", `involvedObject.name=${name}`),
    async token(serviceAccount: string) {
      const request = JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} });
      const answer = await output(command(["create", "--raw", `/api/v1/namespaces/default/serviceaccounts/${serviceAccount}/token`, "-f", "-"]), withEnv([], { input: request }));
      return (JSON.parse(answer) as { status: { token: string } }).status.token;
    },
    start: (args: readonly string[], options: { env?: Record<string, string> } = {}) => startProgram(command(args), { env: { ...env, ...options.env } }),
  });
}
