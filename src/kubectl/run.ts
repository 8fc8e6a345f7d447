import type { Pod } from "../apis/generated/core/v1.ts";
import { defineCommand } from "./command.ts";
import { pathOf } from "./discovery.ts";
import { isNotFound, KubectlError, RemoteExit } from "./errors.ts";
import { attach } from "./exec.ts";
import { bool, duration, number, repeated, text } from "./flags.ts";
import { at, goJson, type PlainObject } from "./objects.ts";
import { applyMergePatch } from "../apimachinery/patch/merge-patch.ts";
import { waitForObject } from "./wait.ts";
import { dryRunOf, fieldManagerFlag, outcomeText, writeQuery, writingFlags } from "./writing.ts";

const flags = {
  ...writingFlags, ...fieldManagerFlag("kubectl-run"),
  image: text("The image for the container to run."), command: bool("If true and extra arguments are present, use them as the 'command' field in the container, rather than the 'args' field which is the default."),
  env: repeated("Environment variables to set in the container."), labels: text("Comma separated labels to apply to the pod. Will override previous values.", { short: "l" }), annotations: repeated("Annotations to apply to the pod."),
  port: number("The port that this container exposes.", -1), restart: text("The restart policy for this Pod. Legal values [Always, OnFailure, Never].", { default: "Always" }), imagePullPolicy: text("The image pull policy for the container."),
  stdin: bool("Keep stdin open on the container in the pod, even if nothing is attached.", { short: "i" }), tty: bool("Allocate a TTY for the container in the pod.", { short: "t" }), attach: bool("If true, wait for the Pod to start running, and then attach to the Pod."),
  rm: bool("If true, delete the pod after it exits."), quiet: bool("If true, suppress prompt messages.", { short: "q" }), overrides: text("An inline JSON override for the generated object."), privileged: bool("If true, run the container in privileged mode."),
  podRunningTimeout: duration("The length of time to wait until at least one pod is running", 60_000),
} as const;

const pairs = (list: readonly string[], what: string): [string, string][] => list.map((pair) => {
  const equals = pair.indexOf("=");
  if (equals < 1) throw new KubectlError(`unexpected ${what}: ${pair}`);
  return [pair.slice(0, equals), pair.slice(equals + 1)];
});

export const runCommand = defineCommand({
  name: "run", usage: "run NAME --image=image [--env=\"key=value\"] [--port=port] [--dry-run=server|client] [--overrides=inline-json] [--command] -- [COMMAND] [args...] [flags]", summary: "Run a particular image on the cluster", flags,
  async run({ args, flags: given, given: isGiven, connect, usageError }) {
    const [name, ...words] = args;
    if (!name) throw usageError("NAME is required for run");
    if (!given.image) throw new KubectlError('required flag(s) "image" not set');
    const attached = isGiven("attach") ? given.attach : given.stdin || given.tty;
    if (given.tty && !given.stdin) throw new KubectlError("-i/--stdin is required for containers with -t/--tty=true");
    if (given.rm && !attached) throw new KubectlError("--rm should only be used for attached containers");
    const session = await connect();
    const object = podOf(name, words, given);
    object.metadata.namespace = session.namespace;
    const pods = await session.discovery.find("pods"), path = pathOf(pods, session.namespace, name);
    if (dryRunOf(given) === "client") {
      if (!session.namespaceGiven) delete object.metadata.namespace;
      return session.out(outcomeText(object, "created", given));
    }
    const created = await session.api.json<PlainObject>(pathOf(pods, session.namespace), { method: "POST", body: goJson(object), query: writeQuery(given) });
    if (!attached) return session.out(outcomeText({ ...created, apiVersion: "v1", kind: "Pod" }, "created", given));
    const place = { resource: pods, namespace: session.namespace, name };
    const over = (pod: PlainObject | undefined): boolean => ["Succeeded", "Failed"].includes(String(at(pod, "status", "phase")));
    try {
      const running = await waitForObject(session, place, (pod) => pod === undefined || at(pod, "status", "phase") === "Running" || over(pod), performance.now() + given.podRunningTimeout);
      if (!running) throw new KubectlError(`pods ${JSON.stringify(name)} not found`);
      // What is over already is told from its log.
      if (over(running)) session.out(await session.api.text(`${path}/log`));
      else await attach(session, running as unknown as Pod, { container: "", stdin: given.stdin, tty: given.tty, quiet: given.quiet });
      const ended = given.restart === "Always" ? undefined : await waitForObject(session, place, (pod) => pod === undefined || over(pod), performance.now() + given.podRunningTimeout);
      const code = (at(ended, "status", "containerStatuses", 0, "state", "terminated", "exitCode") as number | undefined) ?? 0;
      if (code !== 0) throw new RemoteExit(`pod ${session.namespace}/${name} terminated (${at(ended, "status", "containerStatuses", 0, "state", "terminated", "reason") as string})`, code);
    } finally {
      if (given.rm) {
        await session.api.json(path, { method: "DELETE", body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" } }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
        session.out(`pod ${JSON.stringify(name)} deleted from ${session.namespace} namespace\n`);
      }
    }
  },
});

function podOf(name: string, words: readonly string[], given: { image: string; command: boolean; env: string[]; labels: string; annotations: string[]; port: number; restart: string; imagePullPolicy: string; stdin: boolean; tty: boolean; overrides: string; privileged: boolean }): PlainObject {
  const container = {
    name, image: given.image, ...(words.length ? { [given.command ? "command" : "args"]: words } : {}), ...(given.env.length ? { env: pairs(given.env, "env").map(([key, value]) => ({ name: key, value })) } : {}),
    ...(given.imagePullPolicy ? { imagePullPolicy: given.imagePullPolicy } : {}), ...(given.port >= 0 ? { ports: [{ containerPort: given.port }] } : {}), resources: {}, ...(given.privileged ? { securityContext: { privileged: true } } : {}),
    ...(given.stdin ? { stdin: true, stdinOnce: true } : {}), ...(given.tty ? { tty: true } : {}),
  };
  const labels = given.labels ? Object.fromEntries(pairs(given.labels.split(","), "label")) : { run: name };
  const object = { apiVersion: "v1", kind: "Pod", metadata: { name, labels, ...(given.annotations.length ? { annotations: Object.fromEntries(pairs(given.annotations, "annotation")) } : {}) }, spec: { containers: [container], dnsPolicy: "ClusterFirst", restartPolicy: given.restart }, status: {} };
  if (!given.overrides) return object;
  try {
    return applyMergePatch(object, JSON.parse(given.overrides)) as PlainObject;
  } catch (error) {
    throw new KubectlError(`invalid --overrides: ${(error as Error).message}`);
  }
}
